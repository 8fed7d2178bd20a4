//! Paths in a configuration are relative to its file, wherever the process was started.

use std::path::{Path, PathBuf};

use unbroken_connect::SourceConfig;
use unbroken_connect::auth::AuthConfig;
use unbroken_connect::config::{ProfileOrigin, ProxyChoice};
use unbroken_connect::secret::SecretSource;

use super::Config;

/// Makes every relative path one that begins at `folder`.
pub(super) fn resolve(config: &mut Config, folder: &Path) {
    join(folder, &mut config.data_dir);
    for hook in [&mut config.hooks.on_gap, &mut config.hooks.on_blocked].into_iter().flatten() {
        hook.resolve(folder);
    }
    if let Some(relay) = &mut config.relay {
        let files = [&mut relay.relay.tls_cert, &mut relay.relay.tls_key];
        files.into_iter().flatten().for_each(|path| join(folder, path));
        secrets(folder, relay.dialect.secrets_mut());
    }
    for sink in &mut config.sinks {
        sink.ndjson.iter_mut().for_each(|ndjson| join(folder, &mut ndjson.dir));
        if let Some(postgres) = &mut sink.postgres {
            postgres.ca_file.iter_mut().for_each(|path| join(folder, path));
            secrets(folder, &mut postgres.password);
        }
        if let Some(parquet) = &mut sink.parquet {
            let paths = parquet.dir.iter_mut().chain(&mut parquet.ca_file);
            paths.for_each(|path| join(folder, path));
            secrets(folder, parquet.secrets.values_mut());
        }
        if let Some(redshift) = &mut sink.redshift {
            redshift.ca_file.iter_mut().for_each(|path| join(folder, path));
            secrets(folder, redshift.password.iter_mut().chain(redshift.secrets.values_mut()));
        }
        if let Some(webhook) = &mut sink.webhook {
            webhook.ca_file.iter_mut().for_each(|path| join(folder, path));
            secrets(folder, webhook.secret.iter_mut().chain(&mut webhook.secrets));
        }
        if let Some(nats) = &mut sink.nats {
            nats.ca_file.iter_mut().for_each(|path| join(folder, path));
            let read = [&mut nats.password, &mut nats.token, &mut nats.credentials];
            secrets(folder, read.into_iter().flatten());
        }
    }
    for kafka in config.sinks.iter_mut().filter_map(|sink| sink.kafka.as_mut()) {
        kafka.ca_file.iter_mut().for_each(|path| join(folder, path));
        secrets(folder, &mut kafka.password);
    }
    for source in &mut config.sources {
        resolve_source(source, folder);
    }
}

fn resolve_source(source: &mut SourceConfig, folder: &Path) {
    let files = [
        &mut source.agents_file,
        &mut source.ca_file,
        &mut source.client_certificate_file,
        &mut source.client_key_file,
        &mut source.fields.hash_key_file,
    ];
    files.into_iter().flatten().for_each(|path| join(folder, path));
    if let ProxyChoice::Named(proxy) = &mut source.proxy {
        secrets(folder, proxy.secrets_mut());
    }
    if let ProfileOrigin::File(path) = &mut source.profile.origin {
        join(folder, path);
    }
    match &mut source.auth {
        None => {}
        Some(AuthConfig::ClientCredentials { client_id, client_secret, .. }) => {
            secrets(folder, [client_id, client_secret]);
        }
        Some(AuthConfig::Password { username, password, client_id, client_secret, .. }) => {
            secrets(folder, [username, password]);
            secrets(folder, client_id.iter_mut().chain(client_secret));
        }
        Some(AuthConfig::AccessKey { key_id, key_secret, .. }) => {
            secrets(folder, [key_id, key_secret]);
        }
        Some(AuthConfig::Token { token }) => secrets(folder, [token]),
    }
}

fn secrets<'a>(folder: &Path, secrets: impl IntoIterator<Item = &'a mut SecretSource>) {
    for secret in secrets {
        match secret {
            SecretSource::File(path) => join(folder, path),
            SecretSource::Command(command) => {
                // Like a shell: a name without a slash is looked for in the PATH.
                if let Some(program) = command.first_mut().filter(|name| name.contains('/')) {
                    *program = folder.join(&*program).display().to_string();
                }
            }
            SecretSource::Env(_) | SecretSource::Literal(_) => {}
        }
    }
}

fn join(folder: &Path, path: &mut PathBuf) {
    if path.is_relative() {
        *path = folder.join(&path);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::parse;

    const TEXT: &str = r#"
data_dir = "data"
[[source]]
name = "a"
profile = "cxone"
api = "https://a.example"
stream = "wss://a.example"
agents_file = "agents.txt"
ca_file = "/etc/ca.pem"
[source.auth]
grant = "token"
token = { file = "token" }
"#;

    #[test]
    fn every_relative_path_begins_at_the_configuration_s_folder() {
        let config = parse(Path::new("/etc/unbroken/unbroken.toml"), TEXT).expect("it is right");
        assert_eq!(config.data_dir, Path::new("/etc/unbroken/data"));
        let source = &config.sources[0];
        assert_eq!(source.agents_file.as_deref(), Some(Path::new("/etc/unbroken/agents.txt")));
        assert_eq!(source.ca_file.as_deref(), Some(Path::new("/etc/ca.pem")));
        assert!(format!("{:?}", source.auth).contains("/etc/unbroken/token"));
    }
}
