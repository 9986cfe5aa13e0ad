-- What landbridge remembers. Every statement here runs once, in one transaction.

CREATE TABLE landbridge.stream (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source          text NOT NULL,
    database        text NOT NULL,
    collection      text NOT NULL,
    target_schema   text NOT NULL,
    target_table    text NOT NULL,
    method          text NOT NULL,
    load            text NOT NULL,
    settings        jsonb NOT NULL,
    fingerprint     bytea NOT NULL,
    plan            jsonb,
    position        jsonb,
    epoch           bigint NOT NULL DEFAULT 0,
    generation      bigint NOT NULL DEFAULT 0,
    loading         jsonb,
    consistent_at   text,
    last_success_at timestamptz,
    created_at      timestamptz NOT NULL DEFAULT now(),
    UNIQUE (target_schema, target_table),
    UNIQUE (target_schema, database, collection)
);
COMMENT ON COLUMN landbridge.stream.epoch IS 'raised by every run that takes the stream; a commit under an older one is refused';
COMMENT ON COLUMN landbridge.stream.generation IS 'the load that readers see';
COMMENT ON COLUMN landbridge.stream.loading IS 'a load by ranges that was begun and can be resumed';

-- A row of its own, so that renewing a lease never waits for a chunk that holds the stream's row.
CREATE TABLE landbridge.lease (
    stream_id  bigint PRIMARY KEY REFERENCES landbridge.stream ON DELETE CASCADE,
    holder     jsonb NOT NULL,
    pids       integer[] NOT NULL,
    expires_at timestamptz NOT NULL
);

-- The ledger: a chunk's rows and this row commit together.
CREATE TABLE landbridge.chunk (
    stream_id   bigint NOT NULL REFERENCES landbridge.stream ON DELETE CASCADE,
    generation  bigint NOT NULL,
    number      integer NOT NULL,
    low         bytea,
    high        bytea,
    documents   bigint NOT NULL DEFAULT 0,
    rows        bigint NOT NULL DEFAULT 0,
    quarantined bigint NOT NULL DEFAULT 0,
    bytes       bigint NOT NULL DEFAULT 0,
    profile     jsonb,
    done        boolean NOT NULL DEFAULT false,
    PRIMARY KEY (stream_id, generation, number)
);

CREATE TABLE landbridge.column_map (
    stream_id   bigint NOT NULL REFERENCES landbridge.stream ON DELETE CASCADE,
    table_name  text NOT NULL,
    path        text[] NOT NULL,
    column_name text NOT NULL,
    type        text,
    family      text,
    kinds       jsonb NOT NULL DEFAULT '{}',
    minimum     jsonb NOT NULL DEFAULT '{}',
    maximum     jsonb NOT NULL DEFAULT '{}',
    by_value    bigint NOT NULL DEFAULT 0,
    escaped     bigint NOT NULL DEFAULT 0,
    since       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (stream_id, table_name, path, column_name)
);
COMMENT ON COLUMN landbridge.column_map.column_name IS 'empty for a path that has no column: always null, or discarded';
COMMENT ON COLUMN landbridge.column_map.kinds IS 'kinds of BSON values seen at the path in the last full read, with counts';

CREATE TABLE landbridge.run (
    id          uuid PRIMARY KEY,
    command     text NOT NULL,
    version     text NOT NULL,
    host        text NOT NULL,
    started_at  timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    status      text NOT NULL DEFAULT 'running',
    error       jsonb
);

CREATE TABLE landbridge.run_stream (
    run_id        uuid NOT NULL REFERENCES landbridge.run ON DELETE CASCADE,
    stream_id     bigint NOT NULL REFERENCES landbridge.stream ON DELETE CASCADE,
    method        text NOT NULL,
    load          text NOT NULL,
    layout        text,
    read          bigint NOT NULL DEFAULT 0,
    inserted      bigint NOT NULL DEFAULT 0,
    updated       bigint NOT NULL DEFAULT 0,
    unchanged     bigint NOT NULL DEFAULT 0,
    deleted       bigint NOT NULL DEFAULT 0,
    quarantined   bigint NOT NULL DEFAULT 0,
    discarded     bigint NOT NULL DEFAULT 0,
    by_value      bigint NOT NULL DEFAULT 0,
    bytes         bigint NOT NULL DEFAULT 0,
    seconds       double precision,
    consistent_at text,
    error         jsonb,
    finished_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (run_id, stream_id)
);

CREATE TABLE landbridge.schema_change (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    stream_id   bigint NOT NULL REFERENCES landbridge.stream ON DELETE CASCADE,
    run_id      uuid NOT NULL,
    at          timestamptz NOT NULL DEFAULT now(),
    change      text NOT NULL,
    column_name text NOT NULL,
    type        text NOT NULL,
    path        text NOT NULL,
    decision    text NOT NULL
);

-- Documents that were set aside. An entry counts once its generation is the stream's.
CREATE TABLE landbridge.quarantine (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    stream_id     bigint NOT NULL REFERENCES landbridge.stream ON DELETE CASCADE,
    generation    bigint NOT NULL,
    chunk         integer,
    run_id        uuid NOT NULL,
    document_id   text NOT NULL,
    path          text NOT NULL,
    problem       text NOT NULL,
    reason        text NOT NULL,
    document      bytea NOT NULL,
    document_json text NOT NULL,
    replaced      boolean NOT NULL DEFAULT false,
    at            timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX quarantine_of_stream ON landbridge.quarantine (stream_id, generation);
