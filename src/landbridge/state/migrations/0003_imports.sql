-- Imports into tables that people made: which row a document became, and how to take it back.

-- Several collections may fill one table, and a collection that is synced may be imported as well.
ALTER TABLE landbridge.stream
    DROP CONSTRAINT stream_target_schema_target_table_key,
    DROP CONSTRAINT stream_target_schema_database_collection_key;
CREATE UNIQUE INDEX stream_of_table ON landbridge.stream (target_schema, target_table)
    WHERE method <> 'import';
CREATE UNIQUE INDEX stream_of_collection ON landbridge.stream (target_schema, database, collection)
    WHERE method <> 'import';
CREATE UNIQUE INDEX stream_of_import ON landbridge.stream (target_schema, database, collection)
    WHERE method = 'import';

ALTER TABLE landbridge.run ADD COLUMN undone_at timestamptz;
COMMENT ON COLUMN landbridge.run.undone_at IS 'when an import was taken back';

CREATE TABLE landbridge.id_map (
    target_schema text NOT NULL,
    collection    text NOT NULL,
    source_id     text NOT NULL,
    target_id     text NOT NULL,
    run_id        uuid NOT NULL,
    PRIMARY KEY (target_schema, collection, source_id)
);
COMMENT ON TABLE landbridge.id_map IS 'the key of the row that an imported document became';
COMMENT ON COLUMN landbridge.id_map.source_id IS 'canonical extended JSON of the _id; whole numbers as $numberLong';

-- One row for each row that an import wrote or deleted, in the order in which it did.
CREATE TABLE landbridge.import_journal (
    run_id       uuid NOT NULL,
    id           bigint GENERATED ALWAYS AS IDENTITY,
    table_schema text NOT NULL,
    table_name   text NOT NULL,
    collection   text NOT NULL,
    main         boolean NOT NULL,
    source_id    text NOT NULL,
    action       text NOT NULL CHECK (action IN ('i', 'u', 'd')),
    key          json NOT NULL,
    before       json,
    after        uuid,
    PRIMARY KEY (run_id, id)
);
COMMENT ON COLUMN landbridge.import_journal.main IS 'false for rows of a document''s arrays';
COMMENT ON COLUMN landbridge.import_journal.after IS 'MD5 of the row as JSON, as the import left it';

-- References to rows that come later, until they are there. What a crash leaves is read anew.
CREATE UNLOGGED TABLE landbridge.import_pending (
    run_id       uuid NOT NULL,
    id           bigint GENERATED ALWAYS AS IDENTITY,
    collection   text NOT NULL,
    source_id    text NOT NULL,
    place        text NOT NULL,
    key          json NOT NULL,
    first        text NOT NULL,
    second       text,
    unchanged    boolean NOT NULL,
    changed      boolean NOT NULL DEFAULT false,
    target       text,
    PRIMARY KEY (run_id, place, id)
);
COMMENT ON COLUMN landbridge.import_pending.place IS 'key path of the column in the mapping';

-- Documents that are taken out again, because what they refer to never came.
CREATE UNLOGGED TABLE landbridge.import_doomed (
    run_id     uuid NOT NULL,
    collection text NOT NULL,
    source_id  text NOT NULL,
    place      text NOT NULL,
    reason     text NOT NULL,
    inserted   boolean NOT NULL,
    updated    boolean NOT NULL,
    reverted   boolean NOT NULL DEFAULT false,
    PRIMARY KEY (run_id, collection, source_id)
);
