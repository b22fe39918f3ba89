//! The state of a call between its rounds (SEP-2322).

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use uuid::Uuid;

/// Calls that may be between two rounds at a time; older ones are forgotten.
const MOST: usize = 1024;

/// What was given out. A client gets a handle that cannot be guessed and nothing it could alter: what it sends back is
/// one of these or it was tampered with.
#[derive(Debug, Default)]
pub(super) struct States {
    given: Mutex<VecDeque<(Uuid, u32)>>,
}

impl States {
    /// A handle for the state after `round`.
    pub(super) fn give(&self, round: u32) -> String {
        let handle = Uuid::new_v4();
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        if given.len() == MOST {
            given.pop_front();
        }
        given.push_back((handle, round));
        handle.to_string()
    }

    /// The round of the state under `handle`; `None` when it was not given out here.
    pub(super) fn round(&self, handle: &str) -> Option<u32> {
        let handle = handle.parse::<Uuid>().ok()?;
        let given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = given.iter().filter(|(known, _)| *known == handle);
        found.next().map(|(_, round)| *round)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_handle_that_was_given_out_is_known() {
        let states = States::default();
        let handle = states.give(2);
        assert_eq!(states.round(&handle), Some(2));
        assert_eq!(states.round(&format!("{handle}-tampered")), None);
        assert_eq!(states.round(&Uuid::new_v4().to_string()), None);
    }

    #[test]
    fn the_oldest_states_are_forgotten_first() {
        let states = States::default();
        let oldest = states.give(0);
        let newer: Vec<_> = (0..MOST).map(|_| states.give(1)).collect();
        assert_eq!(states.round(&oldest), None);
        assert!(newer.iter().all(|handle| states.round(handle) == Some(1)));
    }
}
