//! `tierlog demo`: a record's whole way, shown and checked in under a minute.
//!
//! Contents: the flags and the steps ([`steps`]), the orders ([`flow`]), the directory ([`place`]), two writers measured
//! ([`measure`]), a process killed in the middle ([`crash`]), drain, archive and restore ([`tiers`]), what is compared
//! ([`compare`]).

mod compare;
mod crash;
mod flow;
mod measure;
mod place;
mod steps;
mod tiers;

pub(super) use steps::{DemoArgs, run};
