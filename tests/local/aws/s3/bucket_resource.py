"""The default encryption of `AWS::S3::Bucket`, which MiniStack's CloudFormation ignores.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-s3-bucket-bucketencryption.html
"""

from typing import Any
from xml.etree import ElementTree

from ministack.services import s3

from tests.local.aws.cloudformation import resource_types


def install() -> None:
    resource_types.also("AWS::S3::Bucket", _encrypt)


def _encrypt(bucket: str, props: dict[str, Any]) -> None:
    rules = (props.get("BucketEncryption") or {}).get("ServerSideEncryptionConfiguration")
    if not rules:
        s3._bucket_encryption.pop(bucket, None)
        return
    root = ElementTree.Element("ServerSideEncryptionConfiguration", xmlns=s3.S3_NS)
    for each in rules:
        rule = ElementTree.SubElement(root, "Rule")
        default = each.get("ServerSideEncryptionByDefault")
        if default:
            applied = ElementTree.SubElement(rule, "ApplyServerSideEncryptionByDefault")
            for name in ("SSEAlgorithm", "KMSMasterKeyID"):
                if default.get(name):
                    ElementTree.SubElement(applied, name).text = str(default[name])
        ElementTree.SubElement(rule, "BucketKeyEnabled").text = str(
            each.get("BucketKeyEnabled", False)
        ).lower()
    s3._bucket_encryption[bucket] = ElementTree.tostring(root, encoding="unicode")
