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
    record::{Context as RecordContext, Erasures, map_record},
    rows::{Encoding, Fields, Format, json},
};

mod faults;
mod language;
mod properties;
mod reading;
mod recognition;
mod samples;
mod streamed;
mod support;
