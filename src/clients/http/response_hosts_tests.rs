use super::ResponseHosts::{Local, S3, S3OrLoopback};

use super::ResponseHosts;

const BUCKET: &str = "https://cloudformation-custom-resource-response-eucentral1";

#[test]
fn presigned_s3_addresses_are_accepted() {
    for host in [
        "s3.amazonaws.com",
        "s3.eu-central-1.amazonaws.com",
        "s3-us-west-2.amazonaws.com",
        "s3.dualstack.eu-west-1.amazonaws.com",
        "s3.us-gov-west-1.amazonaws.com",
        "s3.cn-north-1.amazonaws.com.cn",
        "vpce-1a2b3c4d-5e6f.s3.us-east-1.vpce.amazonaws.com",
    ] {
        let url = format!("{BUCKET}.{host}/arn%3Aaws?X-Amz-Expires=7200");
        assert!(S3.accept(&url), "{url}");
        assert!(S3OrLoopback.accept(&url), "{url}");
    }
    assert!(S3.accept("https://s3.amazonaws.com/bucket/key"));
}

// claim: any-other-host-is-rejected
#[test]
fn any_other_host_is_rejected() {
    for url in [
        "https://example.org/x",
        "https://10.0.0.1/x",
        "https://169.254.169.254/latest/meta-data",
        "https://s3.amazonaws.com.example.org/x",
        "https://s3.amazonaws.com@example.org/x",
        "https://example.org/?s3.amazonaws.com",
        "https://evils3amazonaws.com/x",
        "https://amazonaws.com/x",
        "https://internal-s3-1234.eu-central-1.elb.amazonaws.com/x",
        "https://s3-name-1234.eu-central-1.elb.amazonaws.com/x",
        "https://abc.execute-api.eu-central-1.amazonaws.com/x",
        "https://ec2-10-0-0-1.eu-central-1.compute.amazonaws.com/x",
        "https://bucket.s3.amazonaws.com:8443/x",
        "http://bucket.s3.amazonaws.com/x",
        "file:///etc/passwd",
        "no url",
        "",
    ] {
        assert!(!S3.accept(url), "{url}");
        assert!(!S3OrLoopback.accept(url), "{url}");
    }
}

#[test]
fn loopback_in_lambda_needs_another_endpoint_of_aws() {
    assert_eq!(ResponseHosts::new(true, false), S3);
    assert_eq!(ResponseHosts::new(false, false), Local);
    let local = ResponseHosts::new(true, true);
    for url in [
        "http://127.0.0.1:9/x",
        "http://[::1]:9/x",
        "http://localhost/x",
        "https://127.0.0.1:9/x",
    ] {
        assert!(!S3.accept(url), "{url}");
        assert!(local.accept(url), "{url}");
    }
    assert!(!local.accept("http://127.0.0.1.example.com/x"));
}
