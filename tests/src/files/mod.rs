//! Files: formats, compressions, rejects, large bodies, and versions of objects.

mod bodies;
mod formats;
mod keys;
mod rejects;
