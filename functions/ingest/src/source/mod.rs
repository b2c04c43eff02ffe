//! Where bytes come from. In goes the notification of S3; out comes the decompressed stream of an object.

pub(crate) mod inflate;
pub(crate) mod notification;
pub(crate) mod object;
