namespace LlmPipeline;

/// <summary>Which rows of a run no deployment can serve, as a probe has confirmed.</summary>
internal sealed class RunBlockages(LlmCaller caller, string batch)
{
    /// <summary>Whether there may be any: a cheap question for each row.</summary>
    public bool Any => caller.HasOutages;

    /// <summary>Whether rows of this kind can't be served.</summary>
    public bool IsBlocked(RowTarget target) => caller.BlockageOf(target.Model, target.Path, batch) is { IsConfirmed: true };

    /// <summary>Why they can't; null when they can.</summary>
    public string? Reason(IEnumerable<string> models)
    {
        var blockages = models.Select(model => (Model: model, Blockage: caller.BlockageOf(model, null, batch))).Where(one => one.Blockage is not null).ToList();
        if (blockages.Count == 0)
            return null;
        var hint = blockages.Any(one => one.Blockage!.IsOfBatch) ? " (--keep-going calls every row whatever the first ones meet)" : "";
        return string.Join("; ", blockages.Select(one => one.Blockage!.Reason).Distinct()) + hint;
    }
}
