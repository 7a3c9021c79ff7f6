namespace LlmPipeline;

/// <summary>Text of a line of the live view.</summary>
/// <param name="Text">Without line breaks.</param>
/// <param name="Color">What it is drawn in.</param>
internal readonly record struct PanelPart(string Text, PanelColor Color);

/// <summary>What a part of the live view is, which decides its colour.</summary>
internal enum PanelColor
{
    /// <summary>Text.</summary>
    None,

    /// <summary>The part of the bar that is done.</summary>
    Done,

    /// <summary>The other part.</summary>
    Faint,

    /// <summary>What keeps the run from being faster.</summary>
    Warning,

    /// <summary>Rows that failed.</summary>
    Failure,
}
