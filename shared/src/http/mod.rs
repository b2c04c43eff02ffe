//! Common code of the HTTP functions. In: the request of an API Gateway event. Out: the response; problems become problem
//! documents here.

mod app;
mod audit;
mod body;
mod document;
mod parameters;
mod precondition;
pub mod principal;
pub mod problem;
mod response;
mod route;

pub use app::{App, Call, handle, handle_with, run};
pub use audit::Field;
pub use body::{body, body_limit, check_known};
pub use document::complete;
pub use parameters::Parameters;
pub use precondition::{idempotency_key, if_match};
pub use response::{bytes_of, fit, fit_beside, if_none_match, json, not_modified};
pub use route::Route;
