namespace LlmPipeline;

/// <summary>How a gateway serves.</summary>
public sealed class GatewayOptions
{
    /// <summary>
    /// The keys that callers may bring, each as it is or as <c>sha256:</c> and the hash of its UTF-8 bytes in hex. Each key has files, batches and jobs of
    /// its own. Without any, a gateway serves this machine only. Default: none.
    /// </summary>
    public IList<string> ApiKeys { get; set; } = [];

    /// <summary>The folder of the files; gateways on one Redis share it. Default: <c>llmpipe-files</c> in the working directory.</summary>
    public string Files { get; set; } = "llmpipe-files";

    /// <summary>
    /// The models that callers may name, which are queues; any other is answered 404 <c>model_not_found</c>. Without any, a model is refused only
    /// while live workers exist and none of them serves it. Default: none.
    /// </summary>
    public IList<string> Models { get; set; } = [];

    /// <summary>The most requests in a batch's file. Default: 50,000.</summary>
    public int MaxBatchRows { get; set; } = 50_000;

    /// <summary>The largest file that is taken, in bytes. Default: 200 MiB.</summary>
    public long MaxFileBytes { get; set; } = 200L * 1024 * 1024;

    /// <summary>The batches of a key that may be open at a time; another one is answered with 429. Default: 100.</summary>
    public int MaxOpenBatches { get; set; } = 100;

    /// <summary>How long an upload may take. What is left of one that was cut off is removed after twice this. Default: 1 hour.</summary>
    public TimeSpan UploadTimeout { get; set; } = TimeSpan.FromHours(1);

    /// <summary>
    /// How long rows of a batch that was cancelled or has expired may take to end. Workers end them at once; where none works, the rows that are left get
    /// their error lines after this. Default: 30 s.
    /// </summary>
    public TimeSpan EndTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// How long a caller of a synchronous call waits for its answer; then it gets a 504 and its job ends. What the official clients wait themselves is as
    /// long. Default: 10 minutes.
    /// </summary>
    public TimeSpan CallTimeout { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>
    /// The most bytes of requests and answers that are in memory at a time, copies included: of one with 16 MB some 50 while it is taken. A
    /// request that finds none left waits 5 s and is then answered 503 with <c>Retry-After</c>; an answer waits as long as its caller does.
    /// One that is larger passes alone. Default: 512 MiB.
    /// </summary>
    public long MaxBufferedBytes { get; set; } = 512L * 1024 * 1024;

    /// <summary>The same of each key, answered 429. Default: 256 MiB.</summary>
    public long MaxBufferedBytesPerKey { get; set; } = 256L * 1024 * 1024;

    /// <summary>What is wrong with the settings, a line for each; empty when nothing is.</summary>
    public IReadOnlyList<string> Faults()
    {
        var faults = new List<string>();
        for (var n = 0; n < ApiKeys.Count; n++)
        {
            if (ApiKey.Fault(ApiKeys[n]) is { } fault)
                faults.Add($"Gateway:ApiKeys:{n}: {fault}");
        }

        for (var n = 0; n < Models.Count; n++)
        {
            if (Names.ModelFault(Models[n]) is { } fault)
                faults.Add($"Gateway:Models:{n}: the name {fault}");
        }

        if (string.IsNullOrWhiteSpace(Files))
            faults.Add("Gateway:Files: a folder is needed");
        if (MaxBatchRows is < 1 or > Names.MaxRow)
            faults.Add($"Gateway:MaxBatchRows: {MaxBatchRows} is not from 1 to {Names.MaxRow}");
        if (MaxFileBytes < 1024)
            faults.Add($"Gateway:MaxFileBytes: {MaxFileBytes} is below 1024");
        foreach (var (name, bytes) in new[]
        {
            (nameof(MaxBufferedBytes), MaxBufferedBytes),
            (nameof(MaxBufferedBytesPerKey), MaxBufferedBytesPerKey),
        })
        {
            if (bytes < 1024 * 1024)
                faults.Add($"Gateway:{name}: {bytes} is below {1024 * 1024}");
        }

        if (MaxOpenBatches < 1)
            faults.Add($"Gateway:MaxOpenBatches: {MaxOpenBatches} is below 1");
        foreach (var (name, value) in new[] { (nameof(UploadTimeout), UploadTimeout), (nameof(EndTimeout), EndTimeout), (nameof(CallTimeout), CallTimeout) })
        {
            if (value < TimeSpan.FromSeconds(0.5) || value > TimeSpan.FromDays(1))
                faults.Add($"Gateway:{name}: {value} is not from half a second to a day");
        }

        return faults;
    }
}
