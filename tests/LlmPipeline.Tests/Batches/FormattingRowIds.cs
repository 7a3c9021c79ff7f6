namespace LlmPipeline.Tests;

/// <summary><see cref="RowId"/>.</summary>
public sealed class FormattingRowIds
{
    [Theory]
    [InlineData("b-1", 1, "b-1.1")]
    [InlineData("a.b.c", 100_000_000, "a.b.c.100000000")]
    [InlineData("7", 7, "7.7")]
    public void What_is_formatted_is_parsed_again(string batch, int row, string id)
    {
        Assert.Equal(id, RowId.Of(batch, row));
        Assert.Equal(id, new RowId(batch, row).ToString());
        Assert.Equal(new RowId(batch, row), RowId.Parse(id));
        Assert.Equal(row, RowId.RowOf(batch, id));
    }

    [Theory]
    [InlineData("")]
    [InlineData("b")]
    [InlineData("b.")]
    [InlineData(".1")]
    [InlineData("b.0")]
    [InlineData("b.01")]
    [InlineData("b.+1")]
    [InlineData("b.-1")]
    [InlineData("b. 1")]
    [InlineData("b.1x")]
    [InlineData("b.100000001")]
    [InlineData("b.99999999999")]
    public void What_is_no_row_is_none(string id)
    {
        Assert.Null(RowId.Parse(id));
        Assert.Equal(0, RowId.RowOf("b", id));
    }

    [Theory]
    [InlineData("b", "bb.1")]
    [InlineData("b", "b.x.1")]
    [InlineData("b.x", "b.1")]
    public void A_row_of_another_batch_is_none_of_this(string batch, string id) => Assert.Equal(0, RowId.RowOf(batch, id));
}
