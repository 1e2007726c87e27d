//! The room `witness`.
