-- The methods incremental and log: where following begins after a copy, and what a run counted.

ALTER TABLE landbridge.stream ADD COLUMN pending jsonb;
COMMENT ON COLUMN landbridge.stream.position IS 'how far the rows have come: a place in the log, or the largest keys that were read';
COMMENT ON COLUMN landbridge.stream.pending IS 'where following begins once the copy under way is published';

ALTER TABLE landbridge.run_stream
    ADD COLUMN events bigint NOT NULL DEFAULT 0,
    ADD COLUMN without_key bigint NOT NULL DEFAULT 0;
