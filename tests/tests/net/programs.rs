//! Ordinary programs over translated connections: ssh, HTTP and a database, which know nothing of isnguard and choose neither port nor number.

mod database;
mod http;
mod ssh;
mod trial;
