using System.ComponentModel.DataAnnotations;

namespace LlmPipeline;

/// <summary>How the simulator listens, answers, limits and fails.</summary>
public sealed class SimulatorOptions
{
    /// <summary>Whether every answer has the header <c>x-llmpipeline-simulated</c>, so that nobody takes it for a provider's. Default: no.</summary>
    public bool Mark { get; init; }

    /// <summary>The address to listen on: an IP address, <c>localhost</c>, or <c>*</c> for all. Loopback by default, since anybody who reaches it may use it.</summary>
    [Required]
    public string Host { get; set; } = "127.0.0.1";

    /// <summary>The port; 0, the default, takes a free one.</summary>
    [Range(0, 65535)]
    public int Port { get; set; }

    /// <summary>Listen for https, HTTP/1.1 and HTTP/2, with a certificate of its own: <see cref="LlmSimulator.CertificatePem"/>. False, the default, for http.</summary>
    public bool Https { get; set; }

    /// <summary>What everything drawn depends on beside the request: texts, latencies, faults. 1 by default.</summary>
    public long Seed { get; set; } = 1;

    /// <summary>The key that a call must bring, as <c>Authorization: Bearer</c> or, on Azure's routes, as <c>api-key</c>; null, the default, accepts any and none.</summary>
    public string? ApiKey { get; set; }

    /// <summary>The models (on Azure's routes: deployments) that are served, any other is a 404; null, the default, serves every name.</summary>
    public IReadOnlyList<string>? Models { get; set; }

    /// <summary>Mean time from a request to its answer, without <see cref="LatencyPerToken"/>; none by default, at most an hour.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "01:00:00")]
    public TimeSpan Latency { get; set; }

    /// <summary>Mean time that each completion token adds; none by default, at most a minute.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:01:00")]
    public TimeSpan LatencyPerToken { get; set; }

    /// <summary>How the time of one call lies around the mean; constant by default.</summary>
    [EnumDataType(typeof(LatencyShape))]
    public LatencyShape LatencyShape { get; set; } = LatencyShape.Constant;

    /// <summary>With <see cref="LatencyShape.Lognormal"/>: the standard deviation of the logarithm; 0.5 by default.</summary>
    [Range(0.0, 3.0)]
    public double LatencySigma { get; set; } = 0.5;

    /// <summary>Requests in any 60 s; in any second three times the even share, or one. Null, the default, for no limit.</summary>
    [Range(1, int.MaxValue)]
    public int? RequestsPerMinute { get; set; }

    /// <summary>Tokens in any 60 s; in any second three times the even share, or one request. Null, the default, for no limit.</summary>
    [Range(1L, long.MaxValue)]
    public long? TokensPerMinute { get; set; }

    /// <summary>
    /// Whether what a call reserved of <see cref="TokensPerMinute"/> (prompt + max_tokens, or 16 where that is absent) becomes what it used
    /// once it is answered; true by default. Azure keeps the reservation.
    /// </summary>
    public bool CorrectToUsage { get; set; } = true;

    /// <summary>The share of calls that meet a fault, 0 to 1; drawn anew each time a request is seen, so that a retry fares differently. 0 by default.</summary>
    [Range(0.0, 1.0)]
    public double FailShare { get; set; }

    /// <summary>The faults that <see cref="FailShare"/> draws from, each as likely as the others; 500, 429, reset, hang, cut and not JSON by default.</summary>
    [Required]
    public IReadOnlyList<FaultKind> Faults { get; set; } =
        [FaultKind.ServerError, FaultKind.TooManyRequests, FaultKind.Reset, FaultKind.Hang, FaultKind.Cut, FaultKind.NotJson];

    /// <summary>What the first, second, … call that is let in meets; after its end, <see cref="FailShare"/> decides. Null, the default, for none.</summary>
    public IReadOnlyList<FaultKind>? Script { get; set; }

    /// <summary>Answer every call with this status, 400 to 599, and an error body that goes with it; null, the default, for none.</summary>
    [Range(400, 599)]
    public int? AlwaysStatus { get; set; }

    /// <summary>
    /// Behaviours of real providers that calls meet, from the dialect table (docs/providers.md); they go before <see cref="AlwaysStatus"/>,
    /// limits and faults. Either all have a share or none. Empty by default.
    /// </summary>
    [Required]
    public IReadOnlyList<SimulatorDialect> Dialects { get; set; } = [];

    /// <summary>What an injected 429 or 503 asks the client to wait, as <c>retry-after-ms</c> (and, rounded up to whole seconds, <c>Retry-After</c>); 100 ms by default, at most an hour.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "01:00:00")]
    public TimeSpan RetryAfter { get; set; } = TimeSpan.FromMilliseconds(100);

    /// <summary>Words of an answer on average, drawn from half to one and a half of it; 24 by default.</summary>
    [Range(1, 10_000_000)]
    public int AnswerWords { get; set; } = 24;

    /// <summary>
    /// The share of the answers to a <c>json_schema</c> that do not fit it, 0 to 1: half of them are prose, half are JSON of another type. Drawn from
    /// the request, so the same one always has the same answer. 0 by default.
    /// </summary>
    [Range(0.0, 1.0)]
    public double MisfitShare { get; set; }

    /// <summary>Count tokens as OpenAI's o200k_base does, the default; false estimates a token per four bytes, which is faster and needs no vocabulary in memory.</summary>
    public bool CountTokens { get; set; } = true;

    /// <summary>Write answers with line breaks and indentation; false by default.</summary>
    public bool Pretty { get; set; }

    /// <summary>Add fields to answers that no client knows; false by default.</summary>
    public bool ExtraFields { get; set; }

    /// <summary>Keep every request for <see cref="LlmSimulator.Requests"/>; false by default, as it keeps all bodies in memory.</summary>
    public bool Record { get; set; }

    /// <summary>Count calls per job (about 250 bytes of memory a job); true by default.</summary>
    public bool CountJobs { get; set; } = true;

    /// <summary>Checks the bounds.</summary>
    /// <exception cref="ArgumentException">Something is out of bounds; the message names the fields.</exception>
    internal void Validate()
    {
        var found = new List<ValidationResult>();
        if (!Validator.TryValidateObject(this, new ValidationContext(this), found, validateAllProperties: true))
            throw new ArgumentException(string.Join(" ", found.Select(f => f.ErrorMessage)));
        if (Faults.Count == 0)
            throw new ArgumentException($"{nameof(Faults)} must not be empty.");
        if (!double.IsFinite(FailShare) || !double.IsFinite(LatencySigma) || !double.IsFinite(MisfitShare))
            throw new ArgumentException($"{nameof(FailShare)}, {nameof(LatencySigma)} and {nameof(MisfitShare)} must be numbers.");
        ValidateDialects();
    }

    private void ValidateDialects()
    {
        foreach (var (name, share) in Dialects)
        {
            if (SimulatorDialects.Default.Find(name).Count == 0)
            {
                var providers = string.Join(", ", SimulatorDialects.Default.Rows.Select(row => row.Provider).Distinct());
                throw new ArgumentException(
                    $"{nameof(Dialects)}: '{name}' is neither a row of the dialect table nor a provider in it. Providers are: "
                        + $"{providers}.");
            }
            if (share is not (null or (> 0 and <= 1)))
                throw new ArgumentException($"{nameof(Dialects)}: the share of '{name}' must be above 0 and at most 1.");
        }
        if (Dialects.Select(d => d.Share is null).Distinct().Count() > 1)
            throw new ArgumentException($"{nameof(Dialects)}: either all have a share or none.");
        if (Dialects.Sum(d => d.Share ?? 0) > 1 + 1e-9)
            throw new ArgumentException($"{nameof(Dialects)}: the shares add up to more than 1.");
    }
}
