namespace LlmPipeline;

/// <summary>
/// The endpoints that the usual environment variables name. Each serves every model that no other deployment names:
/// <list type="bullet">
/// <item><c>OPENAI_BASE_URL</c> (ending in <c>/v1</c>; enough without a key) and <c>OPENAI_API_KEY</c> (alone it means https://api.openai.com/v1);</item>
/// <item><c>AZURE_OPENAI_ENDPOINT</c>, <c>AZURE_OPENAI_API_KEY</c> (without it Azure.Identity signs in) and <c>AZURE_OPENAI_API_VERSION</c>.</item>
/// </list>
/// With both, OpenAI's goes first and Azure's stands in while that one is closed or full.
/// </summary>
public static class EnvironmentDeployments
{
    /// <summary>The deployments, none to two.</summary>
    /// <param name="env">The value of a variable, null when it is not set; an empty one counts as not set.</param>
    /// <exception cref="LlmSettingsException">A variable that should be a URL is none.</exception>
    public static IReadOnlyList<DeploymentOptions> Read(Func<string, string?> env)
    {
        var deployments = new List<DeploymentOptions>();
        var key = Value("OPENAI_API_KEY");
        if ((Url("OPENAI_BASE_URL") ?? (key is null ? null : "https://api.openai.com/v1")) is { } openAI)
            deployments.Add(new DeploymentOptions { Name = "openai", Endpoint = openAI, ApiKey = key });
        if (Url("AZURE_OPENAI_ENDPOINT") is { } azure)
        {
            var deployment = new DeploymentOptions
            {
                Name = "azure",
                Kind = DeploymentKind.AzureOpenAI,
                Endpoint = azure,
                ApiKey = Value("AZURE_OPENAI_API_KEY"),
                Priority = deployments.Count,
            };
            deployment.ApiVersion = Value("AZURE_OPENAI_API_VERSION") ?? deployment.ApiVersion;
            deployments.Add(deployment);
        }
        return deployments;

        string? Value(string name) => env(name)?.Trim() is { Length: > 0 } value ? value : null;

        string? Url(string name) => Value(name) is not { } value ? null
            : LlmOptions.IsEndpoint(value) ? value
            : throw new LlmSettingsException($"{name}: is not an http or https URL without user, query and fragment");
    }
}
