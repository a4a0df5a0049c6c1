//! numa
