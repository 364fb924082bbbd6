//! A database that tells what it was asked.

use std::sync::{Arc, Mutex};

use sea_orm::Statement;

use super::Database;

/// The statements that were really run, with their values; transactions' begins and ends aside.
#[derive(Clone, Default)]
pub(crate) struct Recording(Arc<Mutex<Vec<Statement>>>);

impl Recording {
    /// What was run since the last call.
    pub(crate) fn take(&self) -> Vec<Statement> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl Database {
    /// The same database, but from now on its statements are recorded.
    pub(crate) fn recorded(mut self) -> (Self, Recording) {
        let recording = Recording::default();
        for connection in [&mut self.reader, &mut self.writer] {
            let statements = Arc::clone(&recording.0);
            connection
                .inner_mut()
                .set_metric_callback(move |info| statements.lock().unwrap().push(info.statement.clone()));
        }
        (self, recording)
    }
}
