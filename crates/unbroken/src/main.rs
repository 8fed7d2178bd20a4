//! The one binary. Everything it does is in [`cli`].

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    unbroken_heap::settle();
    cli::main()
}
