//! The room `judge`.
