namespace LlmPipeline;

/// <summary>How LLMs are called.</summary>
public sealed class LlmOptions
{
    /// <summary>The endpoints; at least one.</summary>
    public IList<DeploymentOptions> Deployments { get; } = [];

    /// <summary>Which models stand in for which; none by default.</summary>
    public IList<FallbackOptions> Fallbacks { get; } = [];

    /// <summary>Model → what its tokens cost, where the deployment does not say. A model without a price has no cost, which is not a cost of 0.</summary>
    public IDictionary<string, TokenPrice> Prices { get; } = new Dictionary<string, TokenPrice>(StringComparer.OrdinalIgnoreCase);

    /// <summary>
    /// Goes before the keys that hold the quotas of a fleet; nothing by default. It is apart from the prefix of queues, because installations that share a Redis may also
    /// share a provider's account, whose quota they then share.
    /// </summary>
    public string QuotaPrefix { get; set; } = "";

    /// <summary>How often a job's LLM work is started at most, for a job that does not say (its own limit is 0); 8 by default, 1 to 1,000.</summary>
    public int MaxAttempts { get; set; } = 8;

    /// <summary>How long one call may take, where neither job nor deployment says; ten minutes by default, up to a day.</summary>
    public TimeSpan AttemptTimeout { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>The wait after the first failure, doubled with each further one and spread by half up and down; half a second by default, up to a minute.</summary>
    public TimeSpan RetryBase { get; set; } = TimeSpan.FromSeconds(0.5);

    /// <summary>
    /// The longest wait that the doubling comes to; a minute by default, up to an hour. The provider may ask for more, up to
    /// <see cref="MaxRetryAfter"/>.
    /// </summary>
    public TimeSpan LongestRetry { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>A wait up to this is spent holding the job; a longer one goes through the queue and holds nothing. Five seconds by default, up to a minute.</summary>
    public TimeSpan MaxInlineWait { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// The longest wait asked for by a provider that is trusted without a probe: a deployment that asks for more is rate-limited for this
    /// long, then one call tries. One hour by default, up to a week.
    /// </summary>
    public TimeSpan MaxRetryAfter { get; set; } = TimeSpan.FromHours(1);

    /// <summary>How often a row may time out while other rows succeed; 2 by default, 1 to 1,000.</summary>
    public int MaxTimeouts { get; set; } = 2;

    /// <summary>Whether the rows of a batch go on although its first five fail alike, each with its own error; false by default.</summary>
    public bool KeepGoing { get; set; }

    /// <summary>
    /// Whether the tokens of a completion without usage are counted from request and answer, where its model has a price; for a budget,
    /// to which such an answer would be free. Results say so. False by default.
    /// </summary>
    public bool EstimateUsage { get; set; }

    /// <summary>
    /// The largest answer, in bytes, decompressed; 32 MiB by default, from 1 KiB to 256 MiB. A larger one ends its job with
    /// <c>answer_too_large</c>, without another try, and its cost is estimated. Each call in flight may take a few times as much memory.
    /// </summary>
    public int MaxAnswerBytes { get; set; } = DefaultMaxAnswerBytes;

    internal const int DefaultMaxAnswerBytes = 32 * 1024 * 1024;
    private const int LeastMaxAnswerBytes = 1024;
    private const int MostMaxAnswerBytes = 256 * 1024 * 1024;

    /// <summary>How OpenAI-compatible servers differ; tests take it away.</summary>
    internal DialectTable Dialects { get; set; } = DialectTable.Default;

    /// <summary>What is wrong, one line a fault with field and bounds; empty when nothing is.</summary>
    public IReadOnlyList<string> Faults()
    {
        var faults = new List<string>();
        if (Deployments.Count == 0)
            faults.Add("Deployments: at least one is needed");
        if (QuotaPrefix.AsSpan().IndexOfAny('{', '}') >= 0)
            faults.Add("QuotaPrefix: must not hold braces: they mark the part of a key that names its cluster slot");
        if (MaxAttempts is < 1 or > 1000)
            faults.Add($"MaxAttempts: {MaxAttempts} is not from 1 to 1000");
        if (MaxTimeouts is < 1 or > 1000)
            faults.Add($"MaxTimeouts: {MaxTimeouts} is not from 1 to 1000");
        Check(nameof(AttemptTimeout), AttemptTimeout, TimeSpan.FromDays(1));
        Check(nameof(RetryBase), RetryBase, TimeSpan.FromMinutes(1));
        Check(nameof(LongestRetry), LongestRetry, TimeSpan.FromHours(1));
        Check(nameof(MaxInlineWait), MaxInlineWait, TimeSpan.FromMinutes(1));
        Check(nameof(MaxRetryAfter), MaxRetryAfter, TimeSpan.FromDays(7));
        if (MaxAnswerBytes is < LeastMaxAnswerBytes or > MostMaxAnswerBytes)
            faults.Add($"MaxAnswerBytes: {MaxAnswerBytes} is not from {LeastMaxAnswerBytes} to {MostMaxAnswerBytes}");
        foreach (var (model, price) in Prices)
            faults.AddRange(price.Faults($"Prices[{model}]"));
        var names = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < Deployments.Count; i++)
        {
            var deployment = Deployments[i];
            var where = string.IsNullOrWhiteSpace(deployment.Name) ? $"Deployments[{i}]" : $"Deployments[{deployment.Name}]";
            if (string.IsNullOrWhiteSpace(deployment.Name))
                faults.Add($"{where}.Name: is missing");
            else if (deployment.Name.Any(char.IsControl))
                faults.Add($"Deployments[{i}].Name: holds a control character");
            else if (!names.Add(deployment.Name))
                faults.Add($"{where}.Name: is there twice");
            if (!Enum.IsDefined(deployment.Kind))
                faults.Add($"{where}.Kind: is neither OpenAI nor AzureOpenAI");
            if (deployment.Charge is { } charge && !Enum.IsDefined(charge))
                faults.Add($"{where}.Charge: is neither Used nor Reserved");
            if (!Enum.IsDefined(deployment.LimitScope))
                faults.Add($"{where}.LimitScope: is neither Deployment nor Model");
            if (!IsEndpoint(deployment.Endpoint))
                faults.Add($"{where}.Endpoint: is not an http or https URL without user, query and fragment");
            if (deployment.Kind == DeploymentKind.AzureOpenAI && string.IsNullOrWhiteSpace(deployment.ApiVersion))
                faults.Add($"{where}.ApiVersion: is missing");
            if (deployment.ApiKey?.Any(c => c is <= ' ' or > '~') == true)
                faults.Add($"{where}.ApiKey: holds a character that no header may hold");
            if (deployment.ApiKeyFile is { } file && (deployment.ApiKey is not null ? "ApiKey is there too: one of them is the key" : ProviderKey.Fault(file)) is { } keyFault)
                faults.Add($"{where}.ApiKeyFile: {keyFault}");
            faults.AddRange(EndpointSettings.Faults(deployment, where));
            CheckLimit($"{where}.RequestsPerMinute", deployment.RequestsPerMinute);
            CheckLimit($"{where}.TokensPerMinute", deployment.TokensPerMinute);
            CheckLimit($"{where}.Concurrency", deployment.Concurrency);
            faults.AddRange(deployment.Price?.Faults($"{where}.Price") ?? []);
            if (deployment.AttemptTimeout is { } timeout)
                Check($"{where}.AttemptTimeout", timeout, TimeSpan.FromDays(1));
        }
        foreach (var fallback in Fallbacks)
        {
            var where = $"Fallbacks[{fallback.Model ?? "*"}]";
            if (Fallbacks.Any(other => other != fallback && (other.Model ?? "*") == (fallback.Model ?? "*")))
                faults.Add($"{where}: is there twice");
            foreach (var other in fallback.To)
            {
                if (string.IsNullOrWhiteSpace(other) || other == fallback.Model || other == "*")
                    faults.Add($"{where}.To: '{other}' is not another model");
                else if (!For(other).Any())
                    faults.Add($"{where}.To: no deployment serves {other}");
            }
        }

        return faults;

        void Check(string field, TimeSpan value, TimeSpan max)
        {
            if (value <= TimeSpan.Zero || value > max)
                faults.Add($"{field}: {value} is not above 0 and up to {max}");
        }

        void CheckLimit(string field, int? value)
        {
            if (value < 1)
                faults.Add($"{field}: {value} is not 1 or more");
        }
    }

    /// <summary>The deployments of a model: those that name it, else those that serve every model that none names.</summary>
    public IEnumerable<DeploymentOptions> For(string model) =>
        Deployments.Any(d => d.Model == model) ? Deployments.Where(d => d.Model == model) : Deployments.Where(d => d.Model is null or "*");

    /// <summary>What a call of the model on one of its deployments costs; null when no price is known.</summary>
    public TokenPrice? PriceOf(DeploymentOptions deployment, string model)
    {
        ArgumentNullException.ThrowIfNull(deployment);
        return deployment.Price ?? (Prices.TryGetValue(model, out var price) ? price : null);
    }

    /// <summary>
    /// Whose answers this model's are: scheme://host[:port] of each of its deployments, and the provider's name for the model where that is another one.
    /// Sorted, separated by commas, without secrets; empty when nobody serves it.
    /// </summary>
    public string EndpointOf(string model) => string.Join(
        ',', For(model).Select(d => new Uri(d.Endpoint).GetLeftPart(UriPartial.Authority) + (string.IsNullOrEmpty(d.As) ? "" : $" as {d.As}")).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal));

    internal static bool IsEndpoint(string? text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var uri) && (uri.Scheme == Uri.UriSchemeHttp || uri.Scheme == Uri.UriSchemeHttps)
        && uri.Query.Length == 0 && uri.Fragment.Length == 0 && uri.UserInfo.Length == 0;
}
