//! Remembers the keys of the last groups of a file, to find a group whose records are not adjacent.

use std::collections::{HashMap, VecDeque};

/// The number of groups after a group among which its key must not return.
const WINDOW: usize = 65_536;

/// The keys of the last groups, as hashes. Needs about 3 MiB if it is full.
#[derive(Debug, Default)]
pub(super) struct Window {
    /// The keys in the order of their groups.
    keys: VecDeque<u64>,
    /// The number of the last group with each of these keys.
    last: HashMap<u64, u64>,
    /// The number of groups so far.
    groups: u64,
}

impl Window {
    /// Adds the key of the next group. Returns whether one of the 65,536 groups before has the same key.
    pub(super) fn add(&mut self, key: u64) -> bool {
        self.groups += 1;
        let before = self.last.insert(key, self.groups);
        self.keys.push_back(key);
        if self.keys.len() > WINDOW {
            self.remove_first();
        }
        before.is_some()
    }

    /// Removes the oldest group. Its key stays if a later group has it too.
    fn remove_first(&mut self) {
        let number = self.groups + 1 - self.keys.len() as u64;
        let Some(key) = self.keys.pop_front() else {
            return;
        };
        if self.last.get(&key) == Some(&number) {
            self.last.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns whether a key returns after this number of other groups.
    fn returns_after(others: usize) -> bool {
        let mut window = Window::default();
        assert!(!window.add(0));
        for other in 1..=others {
            assert!(!window.add(other as u64));
        }
        window.add(0)
    }

    #[test]
    fn keys_return_within_window() {
        assert!(returns_after(0));
        assert!(returns_after(1));
        assert!(returns_after(WINDOW - 1));
        assert!(!returns_after(WINDOW));
    }

    #[test]
    fn later_group_replaces_earlier_one() {
        let mut window = Window::default();
        window.add(0);
        for other in 1..WINDOW as u64 {
            window.add(other);
        }
        // The second group with the key is in the window when the first one leaves it.
        assert!(window.add(0));
        assert!(!window.add(WINDOW as u64));
        assert!(window.add(0));
    }

    #[test]
    fn memory_is_bounded() {
        let mut window = Window::default();
        for key in 0..3 * WINDOW as u64 {
            window.add(key % 100_000);
            assert!(window.keys.len() <= WINDOW && window.last.len() <= WINDOW + 1);
        }
        for _ in 0..2 * WINDOW {
            window.add(7);
        }
        assert_eq!((window.keys.len(), window.last.len()), (WINDOW, 1));
    }
}
