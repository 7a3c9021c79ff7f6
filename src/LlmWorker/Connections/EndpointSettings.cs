namespace LlmPipeline;

/// <summary>Checks the settings of a deployment's connections.</summary>
internal static class EndpointSettings
{
    /// <summary>What is wrong with them, a line a fault.</summary>
    public static IEnumerable<string> Faults(DeploymentOptions options, string where)
    {
        foreach (var fault in EndpointAdditions.Faults(options, where))
            yield return fault;
        if (options.Endpoint.StartsWith("http:", StringComparison.OrdinalIgnoreCase))
        {
            if (options.ClientCertificate is { Length: > 0 })
                yield return $"{where}.ClientCertificate: is for https endpoints only";
            if (options.CertificateAuthority is { Length: > 0 })
                yield return $"{where}.CertificateAuthority: is for https endpoints only";
        }

        if (Fault(() => EndpointCertificates.Client(options)) is { } client)
            yield return $"{where}.{client}";
        if (Fault(() => EndpointCertificates.Trust(options)) is { } trust)
            yield return $"{where}.{trust}";
    }

    private static string? Fault(Func<object?> load)
    {
        try
        {
            load();
            return null;
        }
        catch (LlmSettingsException e)
        {
            return e.Message;
        }
    }
}
