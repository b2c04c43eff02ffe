//! Helpers that several test modules use. In: a test's options, files and requests. Out: a running stack, responses, reports and
//! the items of the table. Test modules import from here, never from one another.

pub(crate) mod api;
pub(crate) mod app;
pub(crate) mod case;
pub(crate) mod contract;
pub(crate) mod environment;
pub(crate) mod erasures;
pub(crate) mod events;
pub(crate) mod faults;
pub(crate) mod files;
pub(crate) mod shared;
pub(crate) mod table;
