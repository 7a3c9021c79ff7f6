namespace LlmPipeline;

/// <summary>What of a deployment a fault concerns; a part that is null covers all.</summary>
/// <param name="Model">The model, as jobs name it.</param>
/// <param name="Path">The path of the API.</param>
/// <param name="Flow">The <see cref="JobFlow"/>.</param>
internal readonly record struct FaultScope(string? Model = null, string? Path = null, string? Flow = null)
{
    /// <summary>Whether calls of this kind are concerned.</summary>
    public bool Covers(string model, string? path, string flow) =>
        (Model is null || Model == model) && (Path is null || Path == path) && (Flow is null || Flow == flow);

    /// <summary>Whether the other scope lies within this one.</summary>
    public bool Covers(FaultScope other) =>
        (Model is null || Model == other.Model) && (Path is null || Path == other.Path) && (Flow is null || Flow == other.Flow);

    public override string ToString()
    {
        var parts = new List<string>();
        if (Model is not null)
            parts.Add($"model {Model}");
        if (Path is not null)
            parts.Add($"path {Path}");
        if (Flow is { Length: > 0 })
            parts.Add($"batch {Flow}");
        return string.Join(", ", parts);
    }
}
