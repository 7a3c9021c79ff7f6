using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace LlmPipeline;

/// <summary>Everything that is no call: health, models, statistics, recorded requests, limits.</summary>
internal sealed class ControlRoutes(
    SimulatorOptions options, TimeProvider time, CallHandler calls, CallCounters counters, RateWindows windows, RequestLog? log,
    JsonBody json)
{
    private const string ModelsPath = "/v1/models";
    private static readonly string[] DefaultModels = ["simulated"];

    private readonly long _started = time.GetUtcNow().ToUnixTimeSeconds();

    /// <summary>Handles a request.</summary>
    public Task HandleAsync(HttpContext context)
    {
        var request = context.Request;
        var path = request.Path.Value ?? "";
        switch (request.Method, path)
        {
            case ("GET", "/health"):
                return SendAsync(context, 200, json.Compose(0, static (w, _) => w.WriteRawValue("""{"status":"ok"}""")));
            case ("GET", "/stats"):
                return SendAsync(context, 200, json.Compose((counters, windows, request.Query["jobs"] == "1"), WriteStats));
            case ("POST", "/stats/reset"):
                counters.Reset();
                windows.ResetCounts();
                log?.Clear();
                return SendAsync(context, 200, json.Compose((counters, windows, false), WriteStats));
            case ("GET", "/requests") when log is not null:
                return SendRequestsAsync(context, log);
            case ("GET", "/limits"):
                return SendAsync(context, 200, json.Compose(windows.Limits, WriteLimits));
            case ("POST", "/limits"):
                return SetLimitsAsync(context);
            case ("GET", ModelsPath):
                return SendModelsAsync(context);
            case ("GET", _) when path.StartsWith(ModelsPath + "/", StringComparison.Ordinal):
                return SendModelAsync(context, path[(ModelsPath.Length + 1)..]);
            default:
                return RefuseAsync(context, Unknown(request.Method, path));
        }
    }

    private CallProblem Unknown(string method, string path)
    {
        if (CallRoute.Of(path) is not null)
            return new(405, $"Not allowed to {method} on {path}.");
        if (path == "/requests" && log is null)
            return new(404, "Requests are not recorded: start the simulator with recording on.");
        return CallRoute.IsAzure(path) ? new(404, "Resource not found") : new(404, $"Invalid URL ({method} {path})");
    }

    private Task RefuseAsync(HttpContext context, CallProblem problem) =>
        SendAsync(context, problem.Status, json.Compose((problem, CallRoute.IsAzure(context.Request.Path.Value ?? "")), ErrorBody.Write));

    private static async Task SendAsync(HttpContext context, int status, ReadOnlyMemory<byte> body, string type = "application/json")
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = type;
        context.Response.ContentLength = body.Length;
        await context.Response.BodyWriter.WriteAsync(body, context.RequestAborted);
    }

    private async Task SendModelsAsync(HttpContext context)
    {
        if (await calls.TryPlayModelsAsync(context))
            return;
        if (calls.HasKey(context.Request))
            await SendAsync(context, 200, json.Compose(options.Models ?? DefaultModels, WriteModels));
        else
            await RefuseAsync(context, ErrorBody.WrongKey(azure: false));
    }

    private Task SendModelAsync(HttpContext context, string model)
    {
        if (options.Models is { } models && !models.Contains(model))
            return RefuseAsync(context, ErrorBody.UnknownModel(model, azure: false));
        return SendAsync(context, 200, json.Compose(model, WriteModel));
    }

    private void WriteModels(Utf8JsonWriter writer, IReadOnlyList<string> models)
    {
        writer.WriteStartObject();
        writer.WriteString("object"u8, "list"u8);
        writer.WriteStartArray("data"u8);
        foreach (var model in models)
            WriteModel(writer, model);
        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    private void WriteModel(Utf8JsonWriter writer, string model)
    {
        writer.WriteStartObject();
        writer.WriteString("id"u8, model);
        writer.WriteString("object"u8, "model"u8);
        writer.WriteNumber("created"u8, _started);
        writer.WriteString("owned_by"u8, "simulator"u8);
        writer.WriteEndObject();
    }

    private static async Task SendRequestsAsync(HttpContext context, RequestLog log)
    {
        context.Response.ContentType = "application/jsonl";
        var lines = new JsonBody(pretty: false);
        foreach (var kept in log.All)
        {
            await context.Response.BodyWriter.WriteAsync(lines.Compose(kept, WriteRequest), context.RequestAborted);
            await context.Response.BodyWriter.WriteAsync("\n"u8.ToArray(), context.RequestAborted);
        }
    }

    private static void WriteRequest(Utf8JsonWriter writer, RecordedRequest kept)
    {
        writer.WriteStartObject();
        writer.WriteString("path"u8, kept.Path);
        writer.WriteString("jobId"u8, kept.JobId);
        writer.WriteStartObject("headers"u8);
        foreach (var (name, value) in kept.Headers)
            writer.WriteString(name, value);
        writer.WriteEndObject();
        // Not as text: what arrived need not be UTF-8, and must come out byte for byte.
        writer.WriteBase64String("bodyBase64"u8, kept.Body.Span);
        writer.WriteEndObject();
    }

    private async Task SetLimitsAsync(HttpContext context)
    {
        var body = await RequestBody.ReadAsync(context.Request, context.RequestAborted);
        var (requests, tokens) = windows.Limits;
        if (!LimitsBody.TryRead(body, ref requests, ref tokens))
        {
            await RefuseAsync(context, new(400, "Limits are an object with \"rpm\" and \"tpm\": whole numbers above 0, or null for none; what is left out stays."));
            return;
        }
        windows.SetLimits(requests, tokens);
        await SendAsync(context, 200, json.Compose((requests, tokens), WriteLimits));
    }

    private static void WriteLimits(Utf8JsonWriter writer, (long? Requests, long? Tokens) limits)
    {
        writer.WriteStartObject();
        LimitsBody.Write(writer, "rpm", limits.Requests);
        LimitsBody.Write(writer, "tpm", limits.Tokens);
        writer.WriteEndObject();
    }

    private static void WriteStats(Utf8JsonWriter writer, (CallCounters Counters, RateWindows Windows, bool Jobs) what)
    {
        var stats = what.Counters.Snapshot().With(what.Windows.Counts);
        writer.WriteStartObject();
        writer.WriteNumber("calls"u8, stats.Calls);
        writer.WriteNumber("callsOverHttp2"u8, stats.CallsOverHttp2);
        writer.WriteNumber("completed"u8, stats.Completed);
        writer.WriteNumber("abandoned"u8, stats.Abandoned);
        WriteCounts(writer, "statuses", stats.Statuses, Text);
        WriteCounts(writer, "faults", stats.Faults, FaultNames.Of);
        WriteCounts(writer, "dialects", stats.Dialects, static name => name);
        writer.WriteNumber("inFlight"u8, stats.InFlight);
        writer.WriteNumber("maxInFlight"u8, stats.MaxInFlight);
        writer.WriteNumber("tokensIn"u8, stats.TokensIn);
        writer.WriteNumber("tokensOut"u8, stats.TokensOut);
        writer.WriteNumber("countedRequests"u8, stats.CountedRequests);
        writer.WriteNumber("countedTokens"u8, stats.CountedTokens);
        writer.WriteNumber("refused"u8, stats.Refused);
        writer.WriteNumber("requestsInMinute"u8, stats.RequestsInMinute);
        writer.WriteNumber("tokensInMinute"u8, stats.TokensInMinute);
        writer.WriteNumber("jobs"u8, stats.Jobs);
        writer.WriteNumber("paidTwice"u8, stats.PaidTwice);
        WriteCounts(writer, "callsPerJob", stats.CallsPerJob.Select(p => KeyValuePair.Create(p.Key, (long)p.Value)), Text);
        if (what.Jobs)
        {
            writer.WriteStartObject("jobCalls"u8);
            foreach (var (id, job) in what.Counters.Jobs)
            {
                writer.WriteStartObject(id);
                writer.WriteNumber("calls"u8, job.Calls);
                writer.WriteNumber("completions"u8, job.Completions);
                writer.WriteEndObject();
            }
            writer.WriteEndObject();
        }
        writer.WriteEndObject();
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    private static void WriteCounts<TKey>(Utf8JsonWriter writer, string name, IEnumerable<KeyValuePair<TKey, long>> counts, Func<TKey, string> text)
    {
        writer.WriteStartObject(name);
        foreach (var (key, count) in counts)
            writer.WriteNumber(text(key), count);
        writer.WriteEndObject();
    }
}
