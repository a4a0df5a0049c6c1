//! What the tests of faults share: [`chance`] (seeded numbers), [`child`] (this program again, to be killed), [`count`]
//! (how often), [`files`] (of a directory), [`image`] (the bytes of one), [`layout`] (where things lie on media), [`mount`]
//! (small file systems), [`proxy`] (what networks do to requests), [`records`] (small logs and what is in them), [`store`]
//! (object stores on loopback).
#![allow(dead_code, reason = "each file of tests uses a part")]

pub mod chance;
pub mod child;
pub mod count;
pub mod files;
pub mod image;
pub mod layout;
pub mod mount;
pub mod proxy;
pub mod records;
pub mod store;
