//! Every method of the reader and writer traits, through the store itself, and through the
//! asynchronous store on tokio (multi-thread and current-thread) and on a plain executor.

mod readers;
mod subject;
mod tasks;
mod writers;

macro_rules! every_subject {
    ($($module:ident: $($test:ident)*;)*) => {
        every_subject! { @subject sync: super::subject::Sync { $($module: $($test)*;)* } }
        every_subject! { @subject on_pollster: super::subject::Async<super::subject::Pollster> { $($module: $($test)*;)* } }
        every_subject! { @subject on_tokio: super::subject::Async<super::subject::TokioMultiThread> { $($module: $($test)*;)* } }
        every_subject! { @subject on_tokio_current_thread: super::subject::Async<super::subject::TokioCurrentThread> { $($module: $($test)*;)* } }
    };
    (@subject $name:ident: $subject:ty { $($module:ident: $($test:ident)*;)* }) => {
        mod $name {
            $($(
                #[test]
                fn $test() {
                    super::$module::$test::<$subject>();
                }
            )*)*
        }
    };
}

every_subject! {
    readers:
        exists exists_with_key_hash read read_with_key_hash read_last_entry batch_read
        batch_read_hashed_keys read_metadata len is_empty file_size;
    writers:
        write_stream write_stream_with_key_hash write write_with_key_hash batch_write
        batch_write_with_key_hashes rename copy transfer delete batch_delete batch_delete_key_hashes;
}
