//! The room `remote`.
