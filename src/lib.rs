//! Durable, inspectable workflows on nothing but Postgres: every run is its log.
