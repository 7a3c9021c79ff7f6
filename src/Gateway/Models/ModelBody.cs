namespace LlmPipeline;

/// <summary>A model as it goes over the wire.</summary>
/// <param name="Id">Its name, which is the name of its queue.</param>
internal sealed record ModelBody(string Id)
{
    public string Object => "model";

    /// <summary>Unix seconds; 0, because it is not known, and clients require a number.</summary>
    public long Created => 0;

    public string OwnedBy => "llmpipe";
}

/// <summary>All models; a list without pages.</summary>
internal sealed record ModelList(IReadOnlyList<ModelBody> Data)
{
    public string Object => "list";
}
