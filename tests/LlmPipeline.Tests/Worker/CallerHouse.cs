using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.SemanticKernel;

namespace LlmPipeline.Tests;

/// <summary>A caller over endpoints of the test's own, and jobs for it.</summary>
internal static class CallerHouse
{
    public const string Model = "m";

    public static LlmCaller Caller(LlmOptions options, TimeProvider? time = null, PromptFunction? function = null, Kernel? kernel = null) =>
        new(options, (_, _) => ValueTask.FromResult(function!), time ?? TimeProvider.System, NullLoggerFactory.Instance, kernel) { Jitter = () => 0.5 };

    public static LlmOptions Options(params DeploymentOptions[] deployments)
    {
        var options = new LlmOptions { RetryBase = TimeSpan.FromMilliseconds(10), AttemptTimeout = TimeSpan.FromSeconds(20) };
        foreach (var deployment in deployments)
            options.Deployments.Add(deployment);
        return options;
    }

    public static DeploymentOptions At(RawEndpoint endpoint, string name = "one", string? model = null, string? alias = null, int priority = 0) =>
        new() { Name = name, Endpoint = endpoint.Url + "/v1", ApiKey = "sk-secret", Model = model, As = alias, Priority = priority };

    public static Job Request(string body = """{"model":"m","messages":[]}""", string path = "/v1/chat/completions", int maxAttempts = 8) => new()
    {
        Id = "b-1.1",
        Queue = Model,
        MaxAttempts = maxAttempts,
        Work = new RequestWork { Path = path, Body = Encoding.UTF8.GetBytes(body) },
    };

    public static string Text(this CallOutcome outcome) => Encoding.UTF8.GetString(outcome.Body.Span);
}
