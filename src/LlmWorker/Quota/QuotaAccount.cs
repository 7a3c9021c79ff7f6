using System.Security.Cryptography;
using System.Text;

namespace LlmPipeline;

/// <summary>
/// Where a deployment's quota is kept on the Redis of a fleet. The provider limits an account, so deployments with the same endpoint and
/// key share one, whatever their
/// names; a model that is limited by itself is a part of it. Earlier versions kept it under the deployment's name.
/// </summary>
/// <param name="Name">The account and the model; the endpoint's host is in it, and of the key only a hash.</param>
/// <param name="EarlierName">What earlier versions call it.</param>
internal sealed record QuotaAccount(string Name, string EarlierName)
{
    private const int HashLength = 16;

    /// <summary>The account of a deployment.</summary>
    /// <param name="deployment">The deployment.</param>
    /// <param name="model">What the provider calls the model that is limited; null for all of the deployment's models together.</param>
    public static QuotaAccount Of(DeploymentOptions deployment, string? model)
    {
        var endpoint = new Uri(deployment.Endpoint.TrimEnd('/'));
        var name = $"{endpoint.Authority}:{Hash(deployment, endpoint)}";
        var isOnly = !deployment.ServesAll;
        return new QuotaAccount(model is null ? name : $"{name}/{model}", model is null || isOnly ? deployment.Name
            : $"{deployment.Name}/{model}");
    }

    private static string Hash(DeploymentOptions deployment, Uri endpoint)
    {
        // A gateway's own key may be in a header or in the query.
        var parts = new List<string> { "llmpipeline account 1", deployment.Kind.ToString(), endpoint.AbsoluteUri, deployment.ApiKey ?? "" };
        parts.AddRange(deployment.Headers.OrderBy(one => one.Key, StringComparer.OrdinalIgnoreCase).Select(one =>
            $"{one.Key.ToLowerInvariant()}: {one.Value}"));
        parts.AddRange(deployment.Query.OrderBy(one => one.Key, StringComparer.Ordinal).Select(one => $"{one.Key}={one.Value}"));
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', parts))))[..HashLength];
    }
}
