//! Logs of failed builds from public issues. Each ends with the lines that its developer needed.

use super::PhaseLog;

/// A log, the phase that failed, and the last lines of its block.
struct Recorded {
    source: &'static str,
    phase: &'static str,
    log: &'static str,
    end: &'static [&'static str],
}

const RECORDED: &[Recorded] = &[
    Recorded {
        source: "https://github.com/aws-samples/aws-modern-application-workshop/issues/290",
        phase: "BUILD",
        log: "\
[Container] 2023/08/28 19:16:45 Entering phase BUILD
[Container] 2023/08/28 19:16:45 Running command echo Building the Docker image...
Building the Docker image...

[Container] 2023/08/28 19:16:45 Running command docker build -t mythicalmysfits/service:latest .
Sending build context to Docker daemon  14.85kB

Step 1/13 : FROM ubuntu:latest
missing signature key

[Container] 2023/08/28 19:16:45 Command did not exit successfully docker build -t mythicalmysfits/service:latest . exit status 1
[Container] 2023/08/28 19:16:45 Phase complete: BUILD State: FAILED
[Container] 2023/08/28 19:16:45 Phase context status code: COMMAND_EXECUTION_ERROR Message: Error while executing command: docker build -t mythicalmysfits/service:latest .. Reason: exit status 1
[Container] 2023/08/28 19:16:45 Entering phase POST_BUILD
[Container] 2023/08/28 19:16:45 Running command echo Build completed on `date`
Build completed on Mon Aug 28 19:16:45 UTC 2023
",
        end: &["Step 1/13 : FROM ubuntu:latest", "missing signature key"],
    },
    Recorded {
        source: "https://github.com/aws/aws-codebuild-docker-images/issues/154",
        phase: "INSTALL",
        // The agent's words of 2018, and its lines with a space at the end.
        log: "\
[Container] 2018/12/21 14:09:24 Entering phase INSTALL 
[Container] 2018/12/21 14:09:24 Running command pip install --upgrade pip 
/codebuild/output/tmp/script.sh: 4: /codebuild/output/tmp/script.sh: pip: not found 
 
[Container] 2018/12/21 14:09:24 Command did not exit successfully pip install --upgrade pip exit status 127 
[Container] 2018/12/21 14:09:24 Phase complete: INSTALL Success: false 
[Container] 2018/12/21 14:09:24 Phase context status code: COMMAND_EXECUTION_ERROR Message: Error while executing command: pip install --upgrade pip. Reason: exit status 127 
",
        end: &["/codebuild/output/tmp/script.sh: 4: /codebuild/output/tmp/script.sh: pip: not found"],
    },
    Recorded {
        source: "https://github.com/awslabs/aws-deployment-framework/issues/441",
        phase: "INSTALL",
        log: "\
[Container] 2022/02/22 15:23:27 Running command pip install -r adf-build/requirements.txt -q
Command \"python setup.py egg_info\" failed with error code 1 in /tmp/pip-install-c4j8yl00/MarkupSafe/
You are using pip version 18.1, however version 22.0.3 is available.
You should consider upgrading via the 'pip install --upgrade pip' command.

[Container] 2022/02/22 15:23:45 Command did not exit successfully pip install -r adf-build/requirements.txt -q exit status 1
[Container] 2022/02/22 15:23:45 Phase complete: INSTALL State: FAILED
",
        end: &[
            "Command \"python setup.py egg_info\" failed with error code 1 in /tmp/pip-install-c4j8yl00/MarkupSafe/",
            "You are using pip version 18.1, however version 22.0.3 is available.",
            "You should consider upgrading via the 'pip install --upgrade pip' command.",
        ],
    },
    Recorded {
        source: "https://github.com/aws/aws-cdk/issues/9400",
        phase: "BUILD",
        log: "\
[Container] 2020/08/02 13:49:59 Running command yarn cdk synth
yarn run v1.22.4
$ ./node_modules/.bin/cdk synth
Subprocess exited with error 1
error Command failed with exit code 1.
info Visit https://yarnpkg.com/en/docs/cli/run for documentation about this command.

[Container] 2020/08/02 13:50:01 Command did not exit successfully yarn cdk synth exit status 1
[Container] 2020/08/02 13:50:01 Phase complete: BUILD State: FAILED
[Container] 2020/08/02 13:50:01 Phase context status code: COMMAND_EXECUTION_ERROR Message: Error while executing command: yarn cdk synth. Reason: exit status 1
[Container] 2020/08/02 13:50:01 Entering phase POST_BUILD
[Container] 2020/08/02 13:50:01 Phase complete: POST_BUILD State: SUCCEEDED
",
        end: &[
            "Subprocess exited with error 1",
            "error Command failed with exit code 1.",
            "info Visit https://yarnpkg.com/en/docs/cli/run for documentation about this command.",
        ],
    },
    Recorded {
        source: "https://github.com/aws/aws-cdk/issues/28519",
        phase: "UPLOAD_ARTIFACTS",
        log: "\
[Container] 2023/12/29 07:11:16.683183 Entering phase POST_BUILD
[Container] 2023/12/29 07:11:16.684920 Phase complete: POST_BUILD State: SUCCEEDED
[Container] 2023/12/29 07:11:16.684933 Phase context status code:  Message:
[Container] 2023/12/29 07:11:16.770308 Expanding base directory path: cdk/cdk.out
[Container] 2023/12/29 07:11:16.773789 Assembling file list
[Container] 2023/12/29 07:11:16.773807 Expanding cdk/cdk.out
[Container] 2023/12/29 07:11:16.776932 Skipping invalid file path cdk/cdk.out
[Container] 2023/12/29 07:11:16.777023 Phase complete: UPLOAD_ARTIFACTS State: FAILED
[Container] 2023/12/29 07:11:16.777033 Phase context status code: CLIENT_ERROR Message: no matching base directory path found for cdk/cdk.out
",
        end: &["[Container] 2023/12/29 07:11:16.776932 Skipping invalid file path cdk/cdk.out"],
    },
    Recorded {
        source: "https://github.com/aws-samples/cookiecutter-aws-sam-pipeline/issues/8",
        phase: "BUILD",
        log: "\
[Container] 2018/11/28 04:05:00 Entering phase BUILD
[Container] 2018/11/28 04:05:00 Running command echo \"Starting SAM packaging `date` in `pwd`\"
Starting SAM packaging Wed Nov 28 04:05:00 UTC 2018 in /codebuild/output/src257800201/src

[Container] 2018/11/28 04:05:00 Running command aws cloudformation package --template-file template.yaml --s3-bucket $BUILD_OUTPUT_BUCKET --output-template-file packaged.yaml

Invalid template path template.yaml

[Container] 2018/11/28 04:05:05 Command did not exit successfully aws cloudformation package --template-file template.yaml --s3-bucket $BUILD_OUTPUT_BUCKET --output-template-file packaged.yaml exit status 255
[Container] 2018/11/28 04:05:05 Phase complete: BUILD Success: false
",
        end: &["Invalid template path template.yaml"],
    },
    Recorded {
        source: "https://github.com/aws-samples/aws-cross-account-cicd-pipeline/issues/29",
        phase: "BUILD",
        log: "\
[Container] 2022/11/08 19:00:43 Running command npm run cdk synth
> my-pipeline@0.1.0 cdk /codebuild/output/src720320611/src
> cdk \"synth\"
/codebuild/output/src720320611/src/node_modules/aws-cdk/lib/index.js:12413
home = path.join((os.userInfo().homedir ?? os.homedir()).trim(), \".cdk\");
^
SyntaxError: Unexpected token '?'
at wrapSafe (internal/modules/cjs/loader.js:915:16)
npm ERR! code ELIFECYCLE
npm ERR! errno 1
npm ERR! my-pipeline@0.1.0 cdk: `cdk \"synth\"`
npm ERR! Exit status 1
[Container] 2022/11/08 19:00:45 Command did not exit successfully npm run cdk synth exit status 1
[Container] 2022/11/08 19:00:45 Phase complete: BUILD State: FAILED
",
        end: &[
            "SyntaxError: Unexpected token '?'",
            "at wrapSafe (internal/modules/cjs/loader.js:915:16)",
            "npm ERR! code ELIFECYCLE",
            "npm ERR! errno 1",
            "npm ERR! my-pipeline@0.1.0 cdk: `cdk \"synth\"`",
            "npm ERR! Exit status 1",
        ],
    },
    Recorded {
        source: "https://github.com/aws-samples/serverless-full-stack-webapp-starter-kit/issues/26",
        phase: "BUILD",
        // POST_BUILD prints the answer to CloudFormation, and its command is a script.
        log: "\
sh: tsc: not found
[Container] 2023/12/28 07:27:53.678464 Command did not exit successfully eval \"$buildCommands\" exit status 1
[Container] 2023/12/28 07:27:53.681780 Phase complete: BUILD State: FAILED
[Container] 2023/12/28 07:27:53.681829 Phase context status code: COMMAND_EXECUTION_ERROR Message: Error while executing command: eval \"$buildCommands\". Reason: exit status 1
[Container] 2023/12/28 07:27:53.717323 Entering phase POST_BUILD
[Container] 2023/12/28 07:27:53.723089 Running command
STATUS='SUCCESS'
if [ $CODEBUILD_BUILD_SUCCEEDING -ne 1 ] # Test if the build is failing
then
STATUS='FAILED'
fi
% Total    % Received % Xferd  Average Speed   Time    Time     Time  Current
",
        end: &["sh: tsc: not found"],
    },
];

#[test]
fn recorded_log_ends_with_the_cause() {
    for Recorded {
        source,
        phase,
        log,
        end,
    } in RECORDED
    {
        let lines: Vec<String> = log.lines().map(ToOwned::to_owned).collect();
        let found = PhaseLog::of(&lines, phase).end;
        assert!(found.is_complete, "{source}");
        let block = super::block(&found.lines, |line| Some(line.to_owned()));
        let shown: Vec<&str> = block.lines().collect();
        let shown = &shown[1..shown.len() - 1];
        // The line about the command is last, and the one before may be empty.
        let of_output = shown.iter().map(|line| line.trim());
        let is_shown = |line: &&str| !line.is_empty() && !line.contains("Command did not exit");
        let output: Vec<&str> = of_output.filter(is_shown).collect();
        assert!(output.ends_with(end), "{source}: {output:#?}");
    }
}

/// If the buildspec is wrong, CodeBuild's message is in the phase's context alone. The lines before
/// show where CodeBuild looked for it: <https://github.com/aws-samples/mlops-e2e/issues/68>.
#[test]
fn log_of_an_unreadable_buildspec_ends_before_its_context() {
    let lines = [
        "[Container] 2024/06/05 02:04:08.786311 Phase is DOWNLOAD_SOURCE",
        "[Container] 2024/06/05 02:04:08.787251 CODEBUILD_SRC_DIR=/codebuild/output/src2740/src/s3/00",
        "[Container] 2024/06/05 02:04:08.791498 Phase complete: DOWNLOAD_SOURCE State: FAILED",
        "[Container] 2024/06/05 02:04:08.791520 Phase context status code: YAML_FILE_ERROR Message: stat /codebuild/output/src2740/src/s3/00/buildspecs/build.yml: no such file or directory",
    ];
    let lines = lines.map(ToOwned::to_owned);
    let found = PhaseLog::of(&lines, "DOWNLOAD_SOURCE").end;
    assert!(found.is_complete);
    assert_eq!(found.lines, lines[..2]);
}
