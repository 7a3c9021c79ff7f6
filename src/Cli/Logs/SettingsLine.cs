namespace LlmPipeline;

/// <summary>The first line of <c>run</c> and <c>work</c>: the settings file and the endpoints that are used, without keys.</summary>
internal static class SettingsLine
{
    /// <param name="settings">The settings.</param>
    /// <param name="deployments">Where calls go.</param>
    public static string Of(Settings settings, IEnumerable<DeploymentOptions> deployments) =>
        Of(settings, $"endpoints {string.Join(", ", deployments.Select(one => $"{one.Name} {Address(one.Endpoint)} ({one.Model ?? "every model"})"))}");

    /// <param name="settings">The settings.</param>
    /// <param name="plan">The run.</param>
    public static string Of(Settings settings, RunPlan plan) =>
        plan.IsForFleet ? Of(settings, "endpoints of the workers")
        : plan.IsSimulated ? Of(settings, "endpoint: the simulator in this process")
        : Of(settings, plan.Llm.Deployments);

    private static string Of(Settings settings, string endpoints) => $"{(settings.File is { } file ? $"settings {file}" : "no settings file")}, {endpoints}";

    /// <summary>Without user, password, query and fragment, which may hold keys.</summary>
    private static string Address(string endpoint) => Uri.TryCreate(endpoint, UriKind.Absolute, out var url)
        ? url.GetComponents(UriComponents.SchemeAndServer | UriComponents.Path, UriFormat.UriEscaped)
        : "(not a URL)";
}
