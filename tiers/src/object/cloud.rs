//! Stores on a network, set up as their ecosystems write it: addresses, and variables of the environment.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::{ClientOptions, ObjectStore, RetryConfig};

use super::address::{Bucket, Provider};

/// Opens the store of `bucket`; talks to nobody yet.
pub(super) fn open(
    bucket: &Bucket,
    endpoint: Option<&str>,
    answer_max: Duration,
) -> object_store::Result<Arc<dyn ObjectStore>> {
    // Another part of this process may have chosen a provider already: that one serves as well.
    drop(rustls::crypto::ring::default_provider().install_default());
    let endpoint = endpoint.map(str::to_owned).or_else(|| of_environment(bucket.provider));
    let plain = endpoint.as_ref().is_some_and(|endpoint| endpoint.starts_with("http://"));
    let client = ClientOptions::new()
        .with_timeout(answer_max)
        .with_connect_timeout(answer_max.min(Duration::from_secs(5)))
        .with_allow_http(plain);
    // Trying again is ours: here it would only hide how long the store has been silent.
    let retry = RetryConfig { max_retries: 0, retry_timeout: answer_max, ..RetryConfig::default() };
    let store: Arc<dyn ObjectStore> = match bucket.provider {
        Provider::S3 => {
            let mut builder = AmazonS3Builder::from_env()
                .with_bucket_name(&bucket.name)
                .with_client_options(client)
                .with_retry(retry)
                .with_allow_http(plain);
            if let Some(endpoint) = endpoint {
                builder = builder.with_endpoint(endpoint);
            }
            Arc::new(builder.build()?)
        }
        Provider::Azure => {
            let mut builder = MicrosoftAzureBuilder::from_env()
                .with_container_name(&bucket.name)
                .with_client_options(client)
                .with_retry(retry)
                .with_allow_http(plain);
            if let Some(endpoint) = endpoint {
                builder = builder.with_endpoint(endpoint);
            }
            Arc::new(builder.build()?)
        }
        Provider::Google => Arc::new(
            GoogleCloudStorageBuilder::from_env()
                .with_bucket_name(&bucket.name)
                .with_client_options(client)
                .with_retry(retry)
                .build()?,
        ),
    };
    Ok(store)
}

/// The endpoint that the environment names, so that a plain `http://` one need not be allowed twice.
fn of_environment(provider: Provider) -> Option<String> {
    let names: &[&str] = match provider {
        Provider::S3 => &["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"],
        Provider::Azure => &["AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"],
        Provider::Google => &[],
    };
    names.iter().find_map(|name| std::env::var(name).ok()).filter(|endpoint| !endpoint.is_empty())
}
