//! Sharded DAG indexes, `index/sharded/dag@0.1`
//! ([blob-index](https://github.com/storacha/specs/blob/main/w3-index.md)).
