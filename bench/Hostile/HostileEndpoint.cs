using System.CommandLine;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace LlmPipeline.Bench;

/// <summary><c>hostile-endpoint</c>: an endpoint that answers a prompt as its first word says, after a time; a process of its own.</summary>
internal static class HostileEndpoint
{
    private const string Completion =
        """{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"four"},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}}""";

    private const string Head = """{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":" """;
    private const string Tail = """ "},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}}""";
    private const int Mebibyte = 1024 * 1024;
    private static readonly byte[] Filler = [.. Enumerable.Repeat((byte)'a', 64 * 1024)];
    private static int _giants;

    public static Command Create()
    {
        var latency = new Option<int>("--latency") { Description = "Of each call, ms.", DefaultValueFactory = _ => 100 };
        var command = new Command("hostile-endpoint", "The endpoint of 'hostile': answers a prompt as its first word says.") { latency };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await ServeAsync(TimeSpan.FromMilliseconds(parsed.GetValue(latency)), cancellationToken);
            return 0;
        });
        return command;
    }

    private static async Task ServeAsync(TimeSpan latency, CancellationToken cancellationToken)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        await using var app = builder.Build();
        app.MapGet("/v1/models", () => Results.Text("""{"object":"list","data":[{"id":"m","object":"model","created":1,"owned_by":"me"}]}""", "application/json"));
        app.MapPost("/v1/chat/completions", context => AnswerAsync(context, latency));
        await app.StartAsync(cancellationToken);
        Console.WriteLine($"listening on {app.Urls.First()}");
        await app.WaitForShutdownAsync(cancellationToken);
    }

    private static async Task AnswerAsync(HttpContext context, TimeSpan latency)
    {
        using var body = await JsonDocument.ParseAsync(context.Request.Body, cancellationToken: context.RequestAborted);
        var prompt = body.RootElement.GetProperty("messages")[0].GetProperty("content").GetString()!;
        await Task.Delay(latency, context.RequestAborted);
        var response = context.Response;
        switch (prompt.Split(' ')[0])
        {
            case nameof(HostileKind.Forbidden):
                response.StatusCode = 403;
                await response.WriteAsync("""{"error":{"message":"Your input was flagged","code":403,"type":"forbidden"}}""");
                break;
            case nameof(HostileKind.Broken):
                response.StatusCode = 500;
                await response.WriteAsync("""{"error":{"message":"The server had an error","type":"server_error"}}""");
                break;
            case nameof(HostileKind.Giant):
                await WriteAsync(response, ((Interlocked.Increment(ref _giants) * 10 % 31) + 1) * Mebibyte);
                break;
            case nameof(HostileKind.Beyond):
                await WriteAsync(response, 40 * Mebibyte);
                break;
            case nameof(HostileKind.Headers):
                SetOdd(response.Headers);
                await response.WriteAsync(Completion);
                break;
            case nameof(HostileKind.Hang):
                await Task.Delay(Timeout.InfiniteTimeSpan, context.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                break;
            default:
                response.ContentType = "application/json";
                await response.WriteAsync(Completion);
                break;
        }
    }

    private static void SetOdd(IHeaderDictionary headers)
    {
        headers["retry-after"] = "86400";
        headers["x-ratelimit-limit-requests"] = "-1";
        headers["x-ratelimit-remaining-requests"] = "NaN";
        headers["x-ratelimit-reset-requests"] = new string('9', 400);
        headers["x-ratelimit-remaining-tokens"] = "0x7fffffffffffffff";
        headers["x-request-id"] = new string('i', 8000);
        headers["content-language"] = new string('l', 8000);
        headers["date"] = "the day before yesterday";
    }

    private static async Task WriteAsync(HttpResponse response, int bytes)
    {
        response.ContentType = "application/json";
        response.ContentLength = Head.Length + bytes + Tail.Length;
        await response.WriteAsync(Head);
        for (var left = bytes; left > 0; left -= Filler.Length)
            await response.Body.WriteAsync(Filler.AsMemory(0, Math.Min(left, Filler.Length)));
        await response.WriteAsync(Tail);
    }
}
