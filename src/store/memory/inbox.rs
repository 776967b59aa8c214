//! Messages to runs.

use super::world::World;
use crate::model::{Message, MessageBody, MessageId, RunId, Timestamp};
use crate::store::{Inbox, Sent};

impl World {
    pub(super) fn send(&mut self, run: RunId, body: &MessageBody, now: Timestamp) -> Sent {
        let Some(row) = self.runs.get(&run).map(|run| &run.row) else { return Sent::NotFound };
        if row.status.is_terminal() {
            return Sent::Finished { status: row.status };
        }
        let owner = row.owner;
        self.last_message += 1;
        let message = MessageId(self.last_message);
        let waiting = self.inboxes.entry(run).or_default();
        waiting.push_back(Message { id: message, sent_at: now, body: body.clone() });
        self.change(run, |row| {
            row.mail_seen = row.mail_seen.saturating_add(1);
            if row.owner.is_none() {
                row.wake_at = Some(row.wake_at.map_or(now, |at| at.min(now)));
            }
        });
        self.changed = true;
        Sent::Accepted { message, owner }
    }

    pub(super) fn is_waiting(&self, run: RunId, message: MessageId) -> bool {
        self.inboxes.get(&run).is_some_and(|waiting| waiting.iter().any(|waits| waits.id == message))
    }

    pub(super) fn inbox(&self, runs: &[RunId]) -> Vec<Inbox> {
        let of_run = |run: &RunId| {
            let messages = self.waiting(*run);
            let row = &self.runs.get(run)?.row;
            (!messages.is_empty()).then_some(Inbox { run: *run, mail_seen: row.mail_seen, messages })
        };
        runs.iter().filter_map(of_run).collect()
    }

    pub(super) fn waiting(&self, run: RunId) -> Vec<Message> {
        self.inboxes.get(&run).map(|waiting| waiting.iter().cloned().collect()).unwrap_or_default()
    }

    /// Removes messages that are in the log now.
    pub(super) fn take(&mut self, run: RunId, taken: &[MessageId]) {
        let Some(waiting) = self.inboxes.get_mut(&run) else { return };
        waiting.retain(|message| !taken.contains(&message.id));
        if waiting.is_empty() {
            self.inboxes.remove(&run);
        }
    }
}
