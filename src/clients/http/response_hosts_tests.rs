use super::ResponseHosts::{Local, S3, S3OrLoopback};

use super::ResponseHosts;

const BUCKET: &str = "https://cloudformation-custom-resource-response-eucentral1";

#[test]
fn presigned_s3_addresses_are_accepted() {
    for host in [
        // Those of recorded requests:
        // https://github.com/aws-cloudformation/aws-cloudformation-templates/issues/100
        "s3.amazonaws.com",
        // https://github.com/aws-solutions-library-samples/qnabot-on-aws/issues/536
        "s3-eu-west-1.amazonaws.com",
        "s3.eu-central-1.amazonaws.com",
        "s3.cn-north-1.amazonaws.com.cn",
        // The other forms of the pages.
        "s3-us-west-2.amazonaws.com",
        "s3-external-1.amazonaws.com",
        "s3.us-east-1.amazonaws.com",
        "s3.ap-southeast-5.amazonaws.com",
        "s3.dualstack.eu-west-1.amazonaws.com",
        "s3.dualstack.cn-northwest-1.amazonaws.com.cn",
        "s3-fips.us-east-1.amazonaws.com",
        "s3-fips.dualstack.us-gov-east-1.amazonaws.com",
        "s3-fips-us-gov-west-1.amazonaws.com",
        "s3-us-gov-west-1.amazonaws.com",
        "s3.us-gov-west-1.amazonaws.com",
        "s3-accelerate.amazonaws.com",
        "s3-accelerate.dualstack.amazonaws.com",
        "vpce-1a2b3c4d-5e6f.s3.us-east-1.vpce.amazonaws.com",
    ] {
        for url in [
            format!("{BUCKET}.{host}/arn%3Aaws?X-Amz-Expires=7200"),
            format!("https://{host}/bucket/arn%3Aaws?X-Amz-Expires=7200"),
        ] {
            assert!(S3.accept(&url), "{url}");
            assert!(S3OrLoopback.accept(&url), "{url}");
        }
    }
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
        "https://x.s3.elb.us-east-1.amazonaws.com/x",
        "https://s3.elb.us-east-1.amazonaws.com/x",
        "https://s3.us-east-1.elb.amazonaws.com/x",
        "https://s3-us-east-1.elb.amazonaws.com/x",
        "https://s3.dualstack.elb.amazonaws.com/x",
        "https://s3.execute-api.us-east-1.amazonaws.com/x",
        "https://s3.lambda-url.us-east-1.amazonaws.com/x",
        "https://vpce-1.s3.execute-api.us-east-1.vpce.amazonaws.com/x",
        "https://vpce-1.execute-api.us-east-1.vpce.amazonaws.com/x",
        "https://x.s3.us-east-1.vpce.amazonaws.com/x",
        "https://bucket.s3-name.amazonaws.com/x",
        "https://bucket.s3-website-us-east-1.amazonaws.com/x",
        "https://bucket.s3.east.amazonaws.com/x",
        "https://bucket.s3.us-east-1a.amazonaws.com/x",
        "https://bucket.s3.us-east-100.amazonaws.com/x",
        "https://bucket.s3.us-east-1.amazonaws.com.evil.com/x",
        "https://bucket.s3.us-east-1.amazonaws.co/x",
        "https://bucket.s3.us-east-1.amazonaws.com.cn.cn/x",
        "https://bucket.xs3.us-east-1.amazonaws.com/x",
        "https://bucket.s3x.us-east-1.amazonaws.com/x",
        "https://bucket.\u{455}3.amazonaws.com/x",
        "https://.s3.amazonaws.com/x",
        "https://bucket..s3.amazonaws.com/x",
        "https://s3/x",
        "https://bucket.s3.amazonaws.com./x",
        "https://user:pw@bucket.s3.amazonaws.com/x",
        "https://user@bucket.s3.amazonaws.com/x",
        "https://@bucket.s3.amazonaws.com/x",
        "https://bucket.S3.amazonaws.com/x",
        "HTTPS://bucket.s3.amazonaws.com/x",
        " https://bucket.s3.amazonaws.com/x",
        "https:/bucket.s3.amazonaws.com/x",
        "https:\\\\bucket.s3.amazonaws.com/x",
        "https://bucket.s3.\tamazonaws.com/x",
        "https://bucket.s3%2Eamazonaws.com/x",
        "https://bucket.s3.amazonaws.com",
        "https://bucket.s3.amazonaws.com?x",
        "https://bucket.s3.amazonaws.com:443/x",
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
