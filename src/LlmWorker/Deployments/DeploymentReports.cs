using System.Text.Json;
using System.Text.Json.Serialization;
using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>
/// What the workers of a fleet report of their deployments, on Redis: HASH <c>deployments</c>, worker → when it was written in Unix ms and
/// the state as JSON. A report that was not renewed for three minutes counts no more, and is removed by whoever reads it.
/// </summary>
/// <param name="redis">The fleet's Redis.</param>
/// <param name="keyPrefix">The prefix of its keys.</param>
/// <param name="time">The clock.</param>
public sealed class DeploymentReports(RedisConnections redis, string keyPrefix, TimeProvider time)
{
    private static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(3);
    private readonly RedisKey _key = keyPrefix + "deployments";

    private RedisChannel OpenChannel => redis.Channel(keyPrefix + "deployments:open");

    /// <summary>Writes a worker's report, in place of its last one.</summary>
    /// <param name="worker">The worker's name.</param>
    /// <param name="deployments">Its deployments.</param>
    /// <param name="calls">Where the jobs are that it holds; null where that is not known.</param>
    public Task WriteAsync(string worker, IReadOnlyList<DeploymentStatus> deployments, CallCounts? calls = null) =>
        redis.Commands.HashSetAsync(
            _key,
            worker,
            JsonSerializer.Serialize(
                new Report(time.GetUtcNow().ToUnixTimeMilliseconds(), deployments, calls), DeploymentReportJson.Default.Report));

    /// <summary>Removes a worker's report.</summary>
    public Task RemoveAsync(string worker) => redis.Commands.HashDeleteAsync(_key, worker);

    /// <summary>The deployments of all workers, those of one worker together.</summary>
    public async Task<IReadOnlyList<WorkerDeployments>> ReadAsync()
    {
        var reports = new List<WorkerDeployments>();
        foreach (var entry in await redis.Commands.HashGetAllAsync(_key).ConfigureAwait(false))
        {
            var report = JsonSerializer.Deserialize((string)entry.Value!, DeploymentReportJson.Default.Report);
            var written = DateTimeOffset.FromUnixTimeMilliseconds(report?.Written ?? 0);
            if (report is null || time.GetUtcNow() - written > Lifetime)
                await RemoveAsync(entry.Name!).ConfigureAwait(false);
            else
                reports.Add(new WorkerDeployments(entry.Name!, written, report.Deployments) { Calls = report.Calls });
        }

        return [.. reports.OrderBy(one => one.Worker, StringComparer.Ordinal)];
    }

    /// <summary>Asks all workers to open a deployment: what is unavailable, rate-limited or left alone is tried again at once.</summary>
    /// <param name="deployment">Its name.</param>
    /// <param name="model">One of its models; null for all.</param>
    public Task OpenAsync(string deployment, string? model) =>
        redis.Commands.PublishAsync(OpenChannel, JsonSerializer.Serialize(new OpenRequest(deployment, model), DeploymentReportJson.Default.OpenRequest));

    /// <summary>Calls <paramref name="open"/> with what is asked to be opened.</summary>
    internal async Task<ChannelMessageQueue> SubscribeAsync(Action<string, string?> open, CancellationToken cancellationToken)
    {
        var messages = await redis.SubscribeAsync(OpenChannel, cancellationToken).ConfigureAwait(false);
        messages.OnMessage(message =>
        {
            if (JsonSerializer.Deserialize((string)message.Message!, DeploymentReportJson.Default.OpenRequest) is { } request)
                open(request.Deployment, request.Model);
        });
        return messages;
    }

    internal sealed record Report(long Written, IReadOnlyList<DeploymentStatus> Deployments, CallCounts? Calls = null);

    internal sealed record OpenRequest(string Deployment, string? Model);
}

/// <summary>The deployments of one worker.</summary>
/// <param name="Worker">Its name.</param>
/// <param name="Written">When it reported them.</param>
/// <param name="Deployments">The deployments.</param>
public sealed record WorkerDeployments(string Worker, DateTimeOffset Written, IReadOnlyList<DeploymentStatus> Deployments)
{
    /// <summary>Where the jobs are that it holds; null for a worker of an earlier version, which does not tell.</summary>
    public CallCounts? Calls { get; init; }
}

[JsonSourceGenerationOptions(
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault, PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(DeploymentReports.Report))]
[JsonSerializable(typeof(DeploymentReports.OpenRequest))]
internal sealed partial class DeploymentReportJson : JsonSerializerContext;
