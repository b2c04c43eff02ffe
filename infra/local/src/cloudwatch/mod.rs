//! CloudWatch Logs. In: the lines of the functions, and requests to put lines. Out: deliveries of subscription filters, and the
//! lines of the audit log.

mod service;
mod subscription;

pub(crate) use service::{LogGroups, router};
pub(crate) use subscription::Subscriptions;
