using Microsoft.Extensions.Options;

namespace LlmPipeline;

/// <summary>Lets the host refuse wrong <see cref="LlmOptions"/> on start.</summary>
public sealed class LlmOptionsValidator : IValidateOptions<LlmOptions>
{
    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, LlmOptions options) =>
        options.Faults() is { Count: > 0 } faults ? ValidateOptionsResult.Fail(faults) : ValidateOptionsResult.Success;
}
