//! What the layers below refuse, as problems.

use super::problem::{Code, Problem};
use crate::inspect::ImportError;
use crate::model::filter::FilterError;
use crate::store::StoreError;

impl From<ImportError> for Problem {
    fn from(error: ImportError) -> Problem {
        let detail = error.to_string();
        match error {
            ImportError::Line { line, .. } => Problem::new(Code::InvalidExport, detail).fact("line", line),
            ImportError::NoHeader { .. } | ImportError::Mismatch { .. } | ImportError::Illegal(_) => {
                Problem::new(Code::InvalidExport, detail)
            }
            ImportError::NewerFormat { found, known } => {
                Problem::new(Code::NewerExport, detail).fact("found", found).fact("known", known)
            }
            ImportError::Live { run, status } => Problem::new(Code::LiveExport, detail)
                .fact("run", run.to_string())
                .fact("run_status", status.as_str()),
            ImportError::Exists { run } => Problem::new(Code::RunExists, detail).fact("run", run.to_string()),
        }
    }
}

impl From<FilterError> for Problem {
    fn from(error: FilterError) -> Problem {
        Problem::new(Code::InvalidFilter, error.to_string())
            .fact("column", error.column)
            .fact("found", error.found)
            .fact("expected", error.expected)
            .fact("suggestion", error.suggestion)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Problem {
        let detail = error.to_string();
        match error {
            timeout @ StoreError::Unavailable { .. } if timeout.is_timeout() => {
                Problem::new(Code::QueryTimedOut, "the database was stopped after its time: ask for less")
            }
            // What the driver says may name hosts and users.
            StoreError::Unavailable { .. }
            | StoreError::ReadOnly { .. }
            | StoreError::ServerTooOld { .. }
            | StoreError::SessionsShared
            | StoreError::StatementsKept => {
                tracing::warn!(error = %detail, "a request found no database");
                Problem::new(Code::DatabaseUnavailable, "the database does not answer")
            }
            StoreError::SchemaTooNew { .. } | StoreError::SchemaTooOld { .. } => {
                Problem::new(Code::NotMigrated, detail)
            }
            StoreError::NeedsPostgres { .. } => Problem::new(Code::NotSupported, detail),
            StoreError::Fenced => Problem::new(Code::NotRunning, detail),
            StoreError::Conflict { .. }
            | StoreError::Refused { .. }
            | StoreError::Corrupt { .. }
            | StoreError::ShapeChanged { .. }
            | StoreError::Migration { .. }
            | StoreError::Bug { .. } => {
                tracing::error!(error = %detail, "a request failed");
                Problem::new(Code::Internal, "the log of this process says more")
            }
        }
    }
}
