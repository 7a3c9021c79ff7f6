namespace LlmPipeline;

/// <summary>How one model of a deployment is doing.</summary>
/// <param name="Model">What the provider calls it.</param>
/// <param name="RequestsPerMinute">The limit in force; null for none.</param>
/// <param name="TokensPerMinute">The limit in force; null for none.</param>
/// <param name="GateClosedUntil">Until when the provider asked to wait; null when the gate is open.</param>
/// <param name="GateReason">What the provider said then.</param>
/// <param name="CircuitOpenUntil">Until when it is left alone because it kept failing; null when the circuit is closed, as it should
/// be.</param>
/// <param name="CircuitReason">The failure that opened it.</param>
public sealed record ModelStatus(
    string Model, int? RequestsPerMinute, int? TokensPerMinute, DateTimeOffset? GateClosedUntil, string? GateReason,
    DateTimeOffset? CircuitOpenUntil, string? CircuitReason)
{
    internal static ModelStatus Of(string name, DeploymentModel model, DateTimeOffset now) => new(
        name,
        model.Quota.Limits.Requests is > 0 and var requests ? (int)requests : null,
        model.Quota.Limits.Tokens is > 0 and var tokens ? (int)tokens : null,
        model.Quota.ClosedFor is var gate && gate > TimeSpan.Zero ? now + gate : null,
        model.GateReason,
        model.Circuit.OpenFor is var circuit && circuit > TimeSpan.Zero ? now + circuit : null,
        model.Circuit.Reason);
}
