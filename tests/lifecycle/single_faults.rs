//! One fault at every call of every request of every life.
