namespace LlmPipeline;

/// <summary>Chooses the deployments of a run: those of the settings, those of the environment, or else the simulator in the process.</summary>
internal static class RunEndpoints
{
    public const string SimulatorName = "simulator";

    /// <summary>The endpoint of models that only the workers elsewhere know a deployment of.</summary>
    public const string FleetName = "fleet";

    /// <summary>What settings and environment say; possibly without any deployment.</summary>
    /// <param name="settings">The settings.</param>
    /// <param name="fallbacks">What the command line says of models to fall back to, in place of the setting, for all models.</param>
    public static LlmOptions Known(Settings settings, IReadOnlyList<string>? fallbacks = null)
    {
        var llm = new LlmOptions();
        foreach (var deployment in settings.Deployments)
            llm.Deployments.Add(deployment);
        foreach (var deployment in EnvironmentDeployments.Read(Environment.GetEnvironmentVariable))
            llm.Deployments.Add(deployment);
        foreach (var fallback in fallbacks is { Count: > 0 } ? [new FallbackOptions { To = [.. fallbacks] }] : settings.Fallbacks)
            llm.Fallbacks.Add(fallback);
        foreach (var (model, price) in settings.Prices)
            llm.Prices.Add(model, price);
        llm.QuotaPrefix = settings.QuotaPrefix;
        llm.MaxAttempts = settings.MaxAttempts ?? llm.MaxAttempts;
        llm.AttemptTimeout = settings.AttemptTimeout ?? llm.AttemptTimeout;
        llm.MaxTimeouts = settings.MaxTimeouts ?? llm.MaxTimeouts;
        llm.MaxRetryAfter = settings.MaxRetryAfter ?? llm.MaxRetryAfter;
        llm.EstimateUsage = settings.EstimateUsage;
        llm.MaxAnswerBytes = settings.MaxAnswerBytes ?? llm.MaxAnswerBytes;
        return llm;
    }

    /// <summary>For rows that workers elsewhere run: without any deployment if none is known, and never the simulator.</summary>
    /// <exception cref="CliException">A setting can't work.</exception>
    public static LlmOptions ForFleet(RunOptions options, Settings settings)
    {
        var llm = Known(settings);
        llm.MaxAttempts = options.MaxAttempts ?? llm.MaxAttempts;
        if (llm.Deployments.Count > 0 && llm.Faults() is { Count: > 0 } faults)
            throw CliException.Usage(string.Join('\n', faults));
        return llm;
    }

    /// <exception cref="CliException">A setting can't work, or a model has no deployment; or there is none at all, and the Redis is shared.</exception>
    public static (LlmOptions Llm, bool IsSimulated) Choose(RunOptions options, Settings settings, IReadOnlyList<string> models)
    {
        var llm = Known(settings, options.Fallbacks);
        var isSimulated = llm.Deployments.Count == 0;
        if (isSimulated && options is { Redis: not null, Check: false })
            throw CliException.Usage("run --redis needs an endpoint: set OPENAI_BASE_URL, OPENAI_API_KEY or AZURE_OPENAI_ENDPOINT, or Deployments in llmpipe.json; --fleet leaves the calls to the workers");
        if (isSimulated)
            llm.Deployments.Add(new DeploymentOptions { Name = SimulatorName, Endpoint = "http://127.0.0.1/v1" });
        llm.MaxAttempts = options.MaxAttempts ?? llm.MaxAttempts;
        llm.AttemptTimeout = options.AttemptTimeout ?? llm.AttemptTimeout;
        llm.KeepGoing = options.KeepGoing;
        llm.EstimateUsage |= options.Budget is not null;
        foreach (var deployment in llm.Deployments)
        {
            deployment.RequestsPerMinute = options.RequestsPerMinute ?? deployment.RequestsPerMinute;
            deployment.TokensPerMinute = options.TokensPerMinute ?? deployment.TokensPerMinute;
        }

        if (llm.Faults() is { Count: > 0 } faults)
            throw CliException.Usage(string.Join('\n', faults));
        var unserved = models.Where(m => !llm.For(m).Any()).ToList();
        return unserved.Count == 0
            ? (llm, isSimulated)
            : throw CliException.Usage($"no deployment serves {string.Join(", ", unserved)}: the settings have {string.Join(", ", llm.Deployments.Select(d => d.Model).Distinct())}");
    }
}
