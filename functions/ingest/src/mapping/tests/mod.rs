use std::{borrow::Cow, fs, path::PathBuf};

use shared::{
    model::{
        identifier::{IdentifierRules, Notation},
        identity::IdentityKey,
        item::Item,
        value::{Map, Value},
        version::{ImportId, Version},
    },
    table::Write,
};

use super::*;
use crate::{
    record::{Context as RecordContext, Erasures, MappedRecord, Rejection, map_record},
    rows::{Encoding, Fields, Format, RowError, json},
};

mod faults;
mod language;
mod pages;
mod properties;
mod reading;
mod recognition;
pub(crate) mod samples;
mod streamed;
pub(crate) mod support;
