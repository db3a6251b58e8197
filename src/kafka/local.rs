//! A broker for development and for the tests: one node of Apache Kafka itself (KRaft), on the loopback address.
//!
//! It is not part of the program: it comes from `KAFKA_HOME`, or from Maven Central into a cache ([`install`]). It lives on when
//! the command that started it has ended, in a session of its own, and is found again by what lies in its folder:
//!
//! | file | holds |
//! |---|---|
//! | `broker.json` | process id and ports, while it runs |
//! | `server.properties`, `log4j2.properties` | its configuration, written anew at each start |
//! | `kafka.log` | what it says, since the last start |
//! | `data/` | topics; they survive a stop |
//! | `lock` | held by a command that starts or stops it |
//!
//! Only a process that carries the mark of this folder on its command line is ever asked or stopped: process ids are used again,
//! and other Kafkas on the machine are none of ours.

pub mod install;
mod config;
mod node;
mod ready;
mod process;

pub use node::{Broker, Local, Up, Wishes};
pub use ready::Started;
