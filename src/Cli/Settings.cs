using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.Configuration;

namespace LlmPipeline;

/// <summary>What <c>llmpipe.json</c> (or <c>--config FILE</c>) says, then the environment (<c>LLMPIPE__…</c>). Options of the command line come on top.</summary>
internal sealed class Settings
{
    private const string FileName = "llmpipe.json";
    private const string EnvironmentPrefix = "LLMPIPE__";

    /// <summary>The full path of the file that was read; null for none.</summary>
    internal string? File { get; private set; }

    /// <summary>The Redis of a fleet.</summary>
    public string? Redis { get; set; }

    /// <summary>The model of rows and plain text that name none.</summary>
    public string Model { get; set; } = "gpt-4o-mini";

    /// <summary>Jobs that a process runs at the same time.</summary>
    public int? Concurrency { get; set; }

    /// <summary>How often a row's LLM work is started at most.</summary>
    public int? MaxAttempts { get; set; }

    /// <summary>How long one call may take.</summary>
    public TimeSpan? AttemptTimeout { get; set; }

    /// <summary>How often a row may time out while other rows succeed.</summary>
    public int? MaxTimeouts { get; set; }

    /// <summary>The longest wait asked for by a provider that is trusted without a probe.</summary>
    public TimeSpan? MaxRetryAfter { get; set; }

    /// <summary>The largest answer, in bytes.</summary>
    public int? MaxAnswerBytes { get; set; }

    /// <summary>How long a claim is valid without a renewal.</summary>
    public TimeSpan? Lease { get; set; }

    /// <summary>A worker process that was not seen for so long is gone.</summary>
    public TimeSpan? WorkerTimeout { get; set; }

    /// <summary>How long running calls may go on when a worker is stopped.</summary>
    public TimeSpan? DrainTimeout { get; set; }

    /// <summary>Jobs that may wait in a queue before it takes no more.</summary>
    public long? MaxWaiting { get; set; }

    /// <summary>Shared queues that may exist, retired ones included.</summary>
    public int? MaxQueues { get; set; }

    /// <summary>How long a queue has no jobs before workers stop serving it.</summary>
    public TimeSpan? QueueIdleTimeout { get; set; }

    /// <summary>The largest job, in bytes with all that goes around its request.</summary>
    public int? MaxJobBytes { get; set; }

    /// <summary>The share of Redis' <c>maxmemory</c> above which a worker claims nothing.</summary>
    public double? MaxMemoryShare { get; set; }

    /// <summary>Replicas of Redis that must have a job or a result before it counts.</summary>
    public int? Replicas { get; set; }

    /// <summary>How long they may take.</summary>
    public TimeSpan? ReplicaTimeout { get; set; }

    /// <summary>Goes before the keys of queues, batches and results on the Redis of a fleet, so that several installations can share one.</summary>
    public string KeyPrefix { get; set; } = "";

    /// <summary>How long things are kept on the Redis of a fleet.</summary>
    public RetentionSettings Retention { get; set; } = new();

    /// <summary>Goes before the keys of quotas on the Redis of a fleet.</summary>
    public string QuotaPrefix { get; set; } = "";

    /// <summary>Model → what its tokens cost, where a deployment has no <c>Price</c> of its own.</summary>
    internal IReadOnlyDictionary<string, TokenPrice> Prices { get; private set; } = new Dictionary<string, TokenPrice>();

    /// <summary>Whether the tokens of answers that tell none are estimated also without a budget, where their model has a price.</summary>
    public bool EstimateUsage { get; set; }

    /// <summary>What a run may cost by its estimate before it asks, in the currency of the prices; null for any amount.</summary>
    public decimal? AskAbove { get; set; }

    /// <summary>The LLM endpoints.</summary>
    public IList<DeploymentOptions> Deployments { get; set; } = [];

    /// <summary>How <c>llmpipe serve</c> serves.</summary>
    public GatewayOptions Gateway { get; set; } = new();

    /// <summary>Which models stand in for which.</summary>
    public IList<FallbackOptions> Fallbacks { get; set; } = [];

    /// <summary>How this process uses the queue.</summary>
    /// <param name="shared">Whether the Redis is one that others use too; the store in the process has no replicas.</param>
    public PromptQueueOptions Queue(bool shared = true)
    {
        var options = new PromptQueueOptions();
        options.Lease = Lease ?? options.Lease;
        options.WorkerTimeout = WorkerTimeout ?? options.WorkerTimeout;
        options.MaxJobBytes = MaxJobBytes ?? options.MaxJobBytes;
        options.MaxWaiting = shared ? MaxWaiting : null;
        options.MaxQueues = shared ? MaxQueues ?? options.MaxQueues : null;
        options.KeyPrefix = shared ? KeyPrefix : "";
        if (shared)
        {
            options.BatchTtl = options.MaxDeadAge = Retention.Batches ?? options.BatchTtl;
            options.PromptTtl = Retention.Prompts ?? options.PromptTtl;
        }

        options.Replicas = shared && Replicas is { } replicas ? replicas : 0;
        options.ReplicaTimeout = ReplicaTimeout ?? options.ReplicaTimeout;
        return options;
    }

    /// <summary>How long a row of an input file may be, in bytes.</summary>
    internal int MaxRowBytes => InputOptions.MaxRowBytesOf(MaxJobBytes ?? PromptQueueOptions.DefaultJobBytes);

    /// <summary>How this process keeps results.</summary>
    /// <param name="shared">As for <see cref="Queue"/>.</param>
    public ResultStoreOptions Results(bool shared = true)
    {
        var options = new ResultStoreOptions();
        options.KeyPrefix = shared ? KeyPrefix : "";
        options.Ttl = shared && Retention.Results is { } life ? life : options.Ttl;
        options.Replicas = shared && Replicas is { } replicas ? replicas : 0;
        options.ReplicaTimeout = ReplicaTimeout ?? options.ReplicaTimeout;
        return options;
    }

    /// <summary>Reads the settings.</summary>
    /// <param name="file">The file that the user named; null for <c>llmpipe.json</c> in the working directory, if it is there.</param>
    /// <exception cref="CliException">The file is missing or broken, or holds what is no setting.</exception>
    public static Settings Load(string? file)
    {
        if (file is not null && !System.IO.File.Exists(file))
            throw CliException.Usage($"--config {file}: there is no such file");
        var path = file ?? (System.IO.File.Exists(FileName) ? FileName : null);
        var builder = new ConfigurationBuilder();
        if (path is not null)
        {
            CheckJson(path);
            builder.AddJsonFile(Path.GetFullPath(path), optional: false);
        }

        builder.AddEnvironmentVariables(EnvironmentPrefix);
        var settings = new Settings();
        var configuration = builder.Build();
        // A time span of "600" would be 600 days; everywhere else a plain number of time is seconds.
        foreach (var (key, value) in configuration.AsEnumerable()
            .Where(
                s =>
                    s.Key.EndsWith("Timeout", StringComparison.OrdinalIgnoreCase)
                        || s.Key.StartsWith(nameof(Retention) + ":", StringComparison.OrdinalIgnoreCase)
                        || s.Key.Equals(nameof(Lease), StringComparison.OrdinalIgnoreCase)
                        || s.Key.Equals(nameof(MaxRetryAfter), StringComparison.OrdinalIgnoreCase))
            .ToList())
        {
            if (double.TryParse(value, CultureInfo.InvariantCulture, out var seconds) && Math.Abs(seconds) < 1e9)
                configuration[key] = TimeSpan.FromSeconds(seconds).ToString("c", CultureInfo.InvariantCulture);
        }

        try
        {
            new ConfigurationBuilder().AddInMemoryCollection(configuration.AsEnumerable().Where(setting => !PriceTable.Holds(setting.Key))).Build()
                .Bind(settings, o => o.ErrorOnUnknownConfiguration = true);
        }
        catch (InvalidOperationException e)
        {
            throw CliException.Usage($"{path ?? "the environment"}: {Reason(e)}");
        }

        if (WrongType.OfShape(configuration.AsEnumerable().Select(setting => setting.Key)) is { } shape)
            throw CliException.Usage($"{path ?? "the environment"}: {shape}");
        settings.Prices = PriceTable.Read(configuration.AsEnumerable(), path ?? "the environment");
        settings.File = path is null ? null : Path.GetFullPath(path);
        settings.Check(path ?? "the environment");
        return settings;
    }

    private void Check(string where)
    {
        if (Concurrency is < 1 or > 100_000)
            throw CliException.Usage($"{where}: Concurrency: {Concurrency} is not from 1 to 100000");
        if (MaxWaiting < 1)
            throw CliException.Usage($"{where}: MaxWaiting: {MaxWaiting} is below 1");
        if (AskAbove < 0)
            throw CliException.Usage($"{where}: AskAbove: {AskAbove} is below 0");
        if (Retention.Fault() is { } fault)
            throw CliException.Usage($"{where}: {fault}");
        if (KeyPrefix.AsSpan().IndexOfAny('{', '}') >= 0)
            throw CliException.Usage($"{where}: KeyPrefix: braces mark the part of a key that names its cluster slot");
        if (MaxQueues < 1)
            throw CliException.Usage($"{where}: MaxQueues: {MaxQueues} is below 1");
        if (QueueIdleTimeout is { } idle && (idle < TimeSpan.FromSeconds(0.05) || idle > TimeSpan.FromDays(3650)))
            throw CliException.Usage($"{where}: QueueIdleTimeout: {idle} is not from 0.05 seconds to 3650 days");
        if (MaxJobBytes is < PromptQueueOptions.LeastJobBytes or > PromptQueueOptions.MostJobBytes)
            throw CliException.Usage($"{where}: MaxJobBytes: {MaxJobBytes} is not from {PromptQueueOptions.LeastJobBytes} to {PromptQueueOptions.MostJobBytes}");
        if (MaxMemoryShare is < 0.01 or > 1)
            throw CliException.Usage($"{where}: MaxMemoryShare: {MaxMemoryShare} is not from 0.01 to 1");
        if (Replicas is < 0 or > 100)
            throw CliException.Usage($"{where}: Replicas: {Replicas} is not from 0 to 100");
        if (ReplicaTimeout is { } wait && (wait < TimeSpan.FromSeconds(0.01) || wait > TimeSpan.FromSeconds(5)))
            throw CliException.Usage($"{where}: ReplicaTimeout: {wait} is not from 0.01 to 5 seconds");
        if (MaxRetryAfter is { } longest && (longest <= TimeSpan.Zero || longest > TimeSpan.FromDays(7)))
            throw CliException.Usage($"{where}: MaxRetryAfter: {longest} is not above 0 and up to 7 days");
        foreach (var (name, value) in new[] { (nameof(Lease), Lease), (nameof(WorkerTimeout), WorkerTimeout), (nameof(DrainTimeout), DrainTimeout) })
        {
            if (value is { } span && (span > TimeSpan.FromDays(1) || span < (name == nameof(DrainTimeout) ? TimeSpan.Zero : TimeSpan.FromSeconds(0.5))))
                throw CliException.Usage($"{where}: {name}: {span} is not from half a second to a day");
        }
    }

    private static void CheckJson(string path)
    {
        try
        {
            using var json = JsonDocument.Parse(
                System.IO.File.ReadAllBytes(path), new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true });
            if (json.RootElement.ValueKind != JsonValueKind.Object)
                throw CliException.Usage($"{path}:1: settings are one JSON object");
        }
        catch (JsonException e)
        {
            throw CliException.Usage($"{path}:{e.LineNumber + 1}: not valid JSON");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw CliException.Usage($"{path}: {e.Message}");
        }
    }

    /// <summary>The binder's message in one line, without type names.</summary>
    private static string Reason(Exception e)
    {
        // Of a setting in a list, the inner exception names it.
        if (WrongType.Reason(e) is { } wrong)
            return wrong;
        while (e.InnerException is InvalidOperationException inside && inside.Message.Contains("ErrorOnUnknownConfiguration", StringComparison.Ordinal))
            e = inside;
        var names = System.Text.RegularExpressions.Regex.Matches(e.Message, "'([^']*)'").Select(m => m.Groups[1].Value).ToList();
        return e.Message.Contains("were not found", StringComparison.Ordinal) || e.Message.Contains("ErrorOnUnknownConfiguration", StringComparison.Ordinal)
            ? $"there is no such setting: {string.Join(", ", names.Where(n => !n.Contains('.') && n != "ErrorOnUnknownConfiguration"))}"
            : e.InnerException is { } inner ? $"{e.Message.Split('\n')[0]} ({inner.Message.Split('\n')[0]})" : e.Message.Split('\n')[0];
    }
}
